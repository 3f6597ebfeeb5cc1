import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { seededPostgres } from '../helpers/example-app.js'
import { ownRedis } from '../helpers/redis.js'
import { runBuilt } from './run-built.js'

/** So many that the time goes into code of ours: of one user's few microseconds, a short load on a busy machine shows nothing. */
const IDS = Array.from({ length: 100 }, (_, n) => n + 1).join()
const ROUTE = `/api/users?ids=${IDS}`

/** Of load. The least that there is: with so many ids, hundreds of samples are of our code. */
const SHORT = ['--seconds', '1']

/** What the example app runs on, but for the first time, when it starts what it needs itself. */
const shared = { DATABASE_URL: await seededPostgres(t), REDIS_URL: (await ownRedis(t)).url }

t.test('the profile of a route names functions of the example app, in TypeScript, and leaves a flame graph', async (t) => {
  const folder = t.testdir()
  const { code, stdout, stderr } = await runBuilt('profile/profile.js', [ROUTE, ...SHORT], { folder, env: { SEED_USERS: '200' } })
  t.equal(code, 0, stderr)
  t.match(stdout, new RegExp(`^GET /api/users\\?ids=${IDS}, \\d+ requests in \\d`))
  t.match(stdout, /CPU busy \d.*\n.*the example app \d/)
  t.match(stdout.split('The same for')[1], /app\.get<.* example-app\/routes\/users\.ts:\d+/)

  const files = readdirSync(join(folder, 'profiles'))
  const named = (ending: string) => readFileSync(join(folder, 'profiles', files.find((file) => file.endsWith(ending))!), 'utf8')
  t.ok(JSON.parse(named('.cpuprofile')).nodes.length > 100)
  t.match(named('.html'), /class="example"[^>]* title="[^"]*example-app\/routes\/users\.ts/)
})

t.test('the classic way prints the processed summary of V8\'s log', async (t) => {
  const folder = t.testdir()
  const { code, stdout, stderr } = await runBuilt('profile/profile-prof.js', [ROUTE, ...SHORT], { folder, env: shared })
  t.equal(code, 0, stderr)
  t.match(stdout, 'Statistical profiling result from')
  t.match(stdout, /\[Summary\]:\n.*\n +\d+ .*JavaScript/)
  t.match(stdout.split('The example app and Headroom alone')[1], /^\]:\n.*\n +\d+ .* (dist|build\/example-app)\/\S+:\d+:\d+\n/)
  t.match(readdirSync(join(folder, 'profiles')).map((file) => file.replace(/^.*\./, '')).sort(), ['log', 'txt'])
})

for (const program of ['profile/profile.js', 'profile/profile-prof.js']) {
  t.test(`a route that is not there is no profile: ${program}`, async (t) => {
    const folder = t.testdir()
    const { code, stdout, stderr } = await runBuilt(program, ['/api/nothing?q=1'], { folder, env: shared })
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, 'GET /api/nothing?q=1 answered 404 Not Found: there is nothing to profile.')
    t.strictSame(readdirSync(join(folder, 'profiles')), [])
  })
}

t.test('a wrong call is answered with the right one', async (t) => {
  const { code, stderr } = await runBuilt('profile/profile-prof.js', [], { folder: t.testdir() })
  t.equal(code, 64)
  t.match(stderr, 'expected one route, such as /api/users/7, got 0\n\nnpm run profile:prof -- <route> [--seconds 10]')
})

t.test('asked for help, a command tells how to call it', async (t) => {
  const { code, stdout, stderr } = await runBuilt('profile/profile.js', ['--help'], { folder: t.testdir() })
  t.strictSame({ code, stdout, stderr }, { code: 0, stdout: 'npm run profile -- <route> [--seconds 10] [--connections 20]\n', stderr: '' })
})
