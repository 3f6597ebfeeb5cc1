import t from 'tap'
import { latencyOf } from '../../bench/latency.js'

t.test('steady replies are what they are', (t) => {
  t.strictSame(latencyOf(Array.from({ length: 100 }, () => 2)), { p50: 2, p99: 2 })
  t.end()
})

t.test('one stall shows, though the loop that waited for it made only one request meanwhile', (t) => {
  // 1,000 replies of 1 ms, then half a second of silence: a third of all visitors would have met it.
  const { p50, p99 } = latencyOf([...Array.from({ length: 1_000 }, () => 1), 500])
  t.equal(p50, 1)
  t.ok(p99 > 400, `p99 is ${p99}`)
  t.end()
})

t.test('a clock too coarse to see the usual reply corrects nothing', (t) => {
  t.strictSame(latencyOf([0, 0, 0]), { p50: 0, p99: 0 })
  t.end()
})
