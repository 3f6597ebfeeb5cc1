import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { RouteLatency, WINDOW, type Measured } from '../../plugins/slow-request/route-latency.js'

const OK: Measured = { outcome: 'ok', elapsed: 5, firstByte: 4, isStream: false }

const OUTCOMES = ['ok', 'clientError', 'serverError', 'aborted'] as const

/** One of a distribution. */
const DISTRIBUTIONS: Record<string, () => number> = {
  uniform: () => Math.random() * 1_000,
  exponential: () => -Math.log(1 - Math.random()) * 20,
  'log-normal, with a long tail': () => Math.exp(Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()) * 1.5 + 2)
}

for (const [name, sample] of Object.entries(DISTRIBUTIONS)) {
  t.test(`percentiles of 1,000,000 durations, ${name}, are within 2% of the exact ones`, async (t) => {
    const latency = new RouteLatency(0)
    const all = new Float64Array(1_000_000)
    for (let index = 0; index < all.length; index++) {
      const elapsed = all[index] = sample()
      latency.record(0, { ...OK, elapsed })
    }
    all.sort()
    const { count, max, ...found } = latency.snapshot(0)
    t.equal(count, all.length)
    t.ok(Math.abs(max - all.at(-1)!) <= 0.01)
    for (const [part, key] of [[0.5, 'p50'], [0.95, 'p95'], [0.99, 'p99']] as const) {
      const exact = all[Math.ceil(all.length * part) - 1]!
      t.ok(Math.abs(found[key] - exact) <= exact * 0.02, `${key}: ${found[key]}, exactly ${exact}`)
    }
  })
}

t.test('what is told is of the last one to two minutes, the one that runs included', async () => {
  const step = fc.record({ after: fc.integer({ min: 0, max: 100_000 }), outcome: fc.constantFrom(...OUTCOMES), isStream: fc.boolean() })
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    let now = 500
    const latency = new RouteLatency(now)
    const all: Array<{ at: number, outcome: string, isStream: boolean }> = []
    for (const { after, outcome, isStream } of steps) {
      now += after
      latency.record(now, { ...OK, outcome, isStream })
      all.push({ at: now, outcome, isStream })
      const told = latency.snapshot(now)
      const open = 500 + Math.floor((now - 500) / WINDOW) * WINDOW
      const recent = all.filter(({ at }) => at >= open - WINDOW)
      assert(all.every((one) => one.at < now - WINDOW || recent.includes(one)), 'a minute at least')
      for (const key of OUTCOMES) assert.equal(told[key], recent.filter(({ outcome }) => outcome === key).length)
      assert.equal(told.count, recent.filter(({ isStream }) => !isStream).length)
      assert.equal(told.streams.count, recent.filter(({ isStream }) => isStream).length)
      assert.equal(told.firstByte.count, recent.length)
      const seconds = Math.max(now - Math.max(500, open - WINDOW), 1) / 1_000
      assert.ok(Math.abs(told.rate - recent.length / seconds) <= 0.006)
    }
  }))
})

t.test('two hundred routes with all that there is of each take less than 20 MB', async (t) => {
  global.gc?.()
  const before = process.memoryUsage()
  const routes = Array.from({ length: 200 }, () => new RouteLatency(0))
  for (const route of routes) for (const isStream of [true, false]) route.record(0, { ...OK, isStream })
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const bytes = heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers
  t.ok(bytes < 20_000_000, `${bytes} bytes`)
  t.equal(routes.length, 200)
})
