import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { DeadlineError, Deadlines } from '../../plugins/shared/deadline.js'

const limit = <T>(work: Promise<T>, milliseconds: number): Promise<T> => new Deadlines(milliseconds).limit(work)
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

t.test('work in time gives its value or its error, and leaves no timer', async (t) => {
  const before = timers()
  t.equal(await limit(Promise.resolve(1), 60_000), 1)
  await t.rejects(limit(Promise.reject(new Error('its own')), 60_000), { message: 'its own' })
  t.equal(timers(), before)
})

t.test('work that does not end is given up at the deadline', async (t) => {
  const error = await limit(new Promise(() => {}), 5).catch((error: unknown) => error)
  t.ok(error instanceof DeadlineError)
  t.match(error, { name: 'DeadlineError', message: 'no answer within 5 ms' })
})

t.test('work that fails after its deadline is no unhandled rejection', async (t) => {
  let fail!: (error: Error) => void
  const work = new Promise<never>((_resolve, reject) => { fail = reject })
  const unhandled: unknown[] = []
  const listener = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', listener)
  t.teardown(() => process.off('unhandledRejection', listener))
  await t.rejects(limit(work, 1), DeadlineError)
  fail(new Error('too late'))
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(unhandled, [])
})

t.test('an answer that came while the event loop was blocked past the deadline still counts', async (t) => {
  const server = createServer((socket) => {
    socket.end('answer')
    // It lies in the peer's socket now, and is read only long after the deadline.
    const until = performance.now() + 300
    while (performance.now() < until) { /* blocked */ }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.equal(await limit(once(peer, 'data').then(([data]) => String(data)), 100), 'answer')
})
