import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { RecentLoad } from '../../plugins/pool-health/recent-load.js'

t.test('connections are held for no longer than there was time, whenever windows end and whoever is still there', async (t) => {
  const step = fc.record({ holds: fc.nat(5), ends: fc.nat(5), after: fc.integer({ min: 0, max: 50_000 }) })
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    let now = 1_000
    const load = new RecentLoad(100, now)
    const holding: number[] = []
    let exact: Array<{ from: number, to: number }> = []
    for (const { holds, ends, after } of steps) {
      for (let n = 0; n < holds; n++) holding.push(now)
      now += after
      for (let n = 0; n < ends; n++) {
        const since = holding.shift()
        if (since === undefined) break
        load.held(since, now)
        exact.push({ from: since, to: now })
      }
      load.look(now, holding)
      const { elapsed, held, heldSlowly } = load.load(now, { holding, waiting: [] })
      const begin = now - elapsed
      exact = exact.filter(({ to }) => to > begin)
      const all = [...exact, ...holding.map((since) => ({ from: since, to: now }))]
      const expected = all.reduce((sum, { from, to }) => sum + Math.max(0, to - Math.max(from, begin)), 0)
      assert.ok(Math.abs(held - expected) < 0.001, `${held} of ${expected}`)
      assert.ok(heldSlowly <= held)
    }
  }))
  t.pass()
})

t.test('of a wait, the part in which the event loop was busy is its own', async (t) => {
  const load = new RecentLoad(100, 0)
  load.waited(100, 0.25, true)
  load.waited(0.5, 1, false)
  const { wait, delay } = load.durations
  t.match([wait.count, delay.count], [2, 2])
  t.ok(Math.abs(wait.max - 75) < 1 && Math.abs(delay.max - 25) < 1, `${wait.max} + ${delay.max}`)
  t.equal(load.load(1_000, { holding: [], waiting: [] }).waited, 1)
})
