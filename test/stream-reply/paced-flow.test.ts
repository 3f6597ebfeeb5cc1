import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { PacedFlow } from '../../plugins/stream-reply/paced-flow.js'

/** With what was done to its stream. */
function newFlow (encrypted = false): { flow: PacedFlow, done: string[] } {
  const done: string[] = []
  return { flow: new PacedFlow({ encrypted, pause: () => done.push('pause'), resume: () => done.push('resume') }), done }
}

t.test('after less than there could be it rests, and not after a record of TLS, or where there is more', async (t) => {
  const { flow, done } = newFlow()
  flow.came(65_536)
  t.strictSame(done, [])
  flow.came(8_192)
  flow.came(100)
  t.strictSame(done, ['pause'])
  await delay(10)
  t.strictSame(done, ['pause', 'resume'])
  const tls = newFlow(true)
  tls.flow.came(8_192)
  t.strictSame(tls.done, [])
})

t.test('what is paused stays so after a rest, and what may go on rests first', async (t) => {
  const { flow, done } = newFlow()
  flow.came(1)
  flow.pause()
  await delay(10)
  t.strictSame(done, ['pause', 'pause'])
  flow.resume()
  t.strictSame(done, ['pause', 'pause', 'resume'])
  flow.pause()
  flow.came(1)
  flow.resume()
  t.strictSame(done.slice(3), ['pause', 'pause'])
  await delay(10)
  t.strictSame(done.slice(3), ['pause', 'pause', 'resume'])
})

t.test('who needs it no more wakes it, and it rests no more', async (t) => {
  const { flow, done } = newFlow()
  flow.came(1)
  flow.wake()
  t.strictSame(done, ['pause', 'resume'])
  await delay(10)
  t.strictSame(done, ['pause', 'resume'])
})
