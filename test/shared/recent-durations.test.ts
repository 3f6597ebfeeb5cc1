import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { RecentDurations } from '../../plugins/shared/recent-durations.js'

const exact = (sorted: number[], part: number): number => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)]!

t.test('percentiles, mean and maximum are within 1% or a hundredth of a millisecond of the exact ones, zeros included', async (t) => {
  const durations = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 600_000, noNaN: true })), { minLength: 1, maxLength: 300 })
  fc.assert(fc.property(durations, (all) => {
    const recent = new RecentDurations()
    for (const duration of all) recent.record(duration)
    const sorted = all.toSorted((a, b) => a - b)
    const { count, mean, p50, p95, p99, max } = recent.summary()
    assert.equal(count, all.length)
    const close = (actual: number, expected: number, what: string): void => {
      assert.ok(Math.abs(actual - expected) <= Math.max(0.0151, expected * 0.0101), `${what}: ${actual}, exactly ${expected}, of ${JSON.stringify(all)}`)
    }
    close(p50, exact(sorted, 0.5), 'p50')
    close(p95, exact(sorted, 0.95), 'p95')
    close(p99, exact(sorted, 0.99), 'p99')
    close(max, sorted.at(-1)!, 'max')
    close(mean, all.reduce((sum, one) => sum + one, 0) / all.length, 'mean')
  }))
  t.pass()
})

t.test('a window is thrown away when two newer ones have begun', async (t) => {
  const recent = new RecentDurations()
  recent.record(5)
  recent.record(0)
  recent.rotate()
  recent.record(7)
  t.match(recent.summary(), { count: 3 })
  recent.rotate()
  t.match(recent.summary(), { count: 1, p50: 7 }, 'of the last window and the one before it')
  recent.rotate()
  t.strictSame(recent.summary(), { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 })
})

t.test('what takes longer than ten minutes counts as ten minutes', async (t) => {
  const recent = new RecentDurations()
  recent.record(86_400_000)
  const { count, max } = recent.summary()
  t.equal(count, 1)
  t.ok(Math.abs(max - 600_000) < 6_000, `${max}`)
})
