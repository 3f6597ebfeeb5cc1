import t from 'tap'
import { profileArguments } from '../../bench/profile/command-line.js'
import { outputName } from '../../bench/profile/profiled-run.js'

t.test('a route is enough', (t) => {
  t.strictSame(profileArguments(['/api/users/7']), { route: '/api/users/7', seconds: 10, connections: 20 })
  t.strictSame(profileArguments(['/x', '--seconds', '3', '--connections=5']), { route: '/x', seconds: 3, connections: 5 })
  t.end()
})

t.test('help can be asked for', (t) => {
  t.equal(profileArguments(['--help']), undefined)
  t.equal(profileArguments(['/x', '-h']), undefined)
  t.end()
})

t.test('what is wrong is said', (t) => {
  for (const [args, message] of [
    [[], 'expected one route, such as /api/users/7, got 0'],
    [['/a', '/b'], 'expected one route, such as /api/users/7, got 2'],
    [['api'], 'expected a route that begins with a slash, got "api"'],
    [['/a', '--seconds', '0'], '--seconds: expected a whole number from 1, got "0"'],
    [['/a', '--connections', 'many'], '--connections: expected a whole number from 1, got "many"']
  ] as const) t.throws(() => profileArguments(args), { message })
  t.throws(() => profileArguments(['/a', '--secs', '1']), { message: /Unknown option '--secs'/ })
  t.end()
})

t.test('output files are named after the route and the moment', (t) => {
  const moment = new Date('2026-11-05T12:30:00.123Z')
  t.equal(outputName('/api/users?ids=3,1', moment), 'api-users-ids-3-1-2026-11-05T12-30-00')
  t.equal(outputName('/', moment), 'root-2026-11-05T12-30-00')
  t.equal(outputName('/../../etc', moment), 'etc-2026-11-05T12-30-00')
  t.end()
})
