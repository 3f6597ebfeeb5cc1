import t from 'tap'
import { timedCalls } from '../../bench/timed-calls.js'
import { gate } from '../helpers/gate.js'

t.test('calls are awaited one after the other', async (t) => {
  let [underWay, most, count] = [0, 0, 0]
  await timedCalls(async () => {
    count++
    most = Math.max(most, ++underWay)
    await Promise.resolve()
    underWay--
  }, 10)
  t.strictSame([count, most], [10, 1])
})

t.test('of several callers each calls again when its call has ended, and together they make as many calls as were asked for', async (t) => {
  const { pass, arrived, letOne, open } = gate()
  let count = 0
  const ran = timedCalls(async () => {
    count++
    await pass()
  }, 5, 3)
  await arrived(3)
  t.equal(count, 3)
  letOne()
  await arrived(4)
  t.equal(count, 4)
  open()
  await ran
  t.equal(count, 5)
})

for (const settled of ['counted', 'afterwards'] as const) {
  t.test(`what the calls have postponed is waited for, and its time is ${settled === 'counted' ? 'theirs' : 'not theirs'}`, async (t) => {
    const { pass, arrived, open } = gate()
    let [calls, ended] = [0, false]
    const ran = timedCalls({ call: () => { calls++ }, settle: pass, settled }, 3).finally(() => { ended = true })
    await arrived()
    t.equal(calls, 3)
    t.equal(ended, false)
    const began = performance.now()
    // The process' own clock is what is measured here.
    while (performance.now() - began < 20);
    open()
    const { elapsed } = await ran
    t.equal(elapsed >= 20, settled === 'counted')
  })
}
