import t from 'tap'
import { callSite, captureStack } from '../../plugins/pool-health/call-site.js'

t.test('the site is the first place outside of node_modules and Node', async (t) => {
  const stack = [
    'Error',
    '    at Pool.connect (/app/node_modules/knex/lib/client.js:10:5)',
    '    at async Promise.all (index 0)'.replace('Promise.all (index 0)', 'node:internal/process/task_queues:95:5'),
    '    at async Object.handler (file:///app/routes/users.js:12:30)',
    '    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)'
  ].join('\n')
  t.equal(callSite({ stack })?.site, '/app/routes/users.js:12:30')
  t.equal(callSite({ stack })?.stack.length, 4)
  t.equal(callSite({ stack: 'Error\n    at async file:///app/jobs.js:1:2' })?.site, '/app/jobs.js:1:2', 'without a function')
  t.equal(callSite({ stack: 'Error\n    at Pool.connect (/app/node_modules/knex/lib/client.js:10:5)' })?.site, '/app/node_modules/knex/lib/client.js:10:5', 'nothing else is known')
  t.equal(callSite({ stack: 'Error' }), undefined)
  t.equal(callSite({}), undefined)
})

t.test('a captured stack begins with who called, and reaches further than Node\'s ten frames', async (t) => {
  function below (): ReturnType<typeof captureStack> { return captureStack(below) }
  function deep (levels: number): ReturnType<typeof captureStack> { return levels === 0 ? below() : deep(levels - 1) }
  const { stackTraceLimit } = Error
  const found = callSite(deep(14))!
  t.match(found.site, /call-site\.test\.[jt]s:\d+:\d+$/)
  t.match(found.stack[0], /^deep /)
  t.equal(found.stack.length, 20)
  t.equal(Error.stackTraceLimit, stackTraceLimit, 'the host\'s limit is as it was')
})
