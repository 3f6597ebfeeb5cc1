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
      const present = holding.map((since) => ({ since, isLong: false }))
      load.look(now, present)
      const { elapsed, held, heldSlowly } = load.load(now, { holding: present, waiting: [] })
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

t.test('a connection that is held long on purpose is in use, and no slow query', async (t) => {
  const load = new RecentLoad(100, 0)
  load.held(0, 30_000, true)
  for (let now = 1_000; now < 31_000; now += 1_000) load.held(now - 5, now)
  const present = [{ since: 10_000, isLong: true }]
  t.match(load.load(31_000, { holding: present, waiting: [] }), { held: 30_000 + 150 + 21_000, heldSlowly: 0, slow: 0, areAllSlow: false, hold: { count: 30 } })
  t.equal(load.usualHold, 5)
  load.look(70_000, present)
  t.match(load.load(70_000, { holding: present, waiting: [] }), { heldSlowly: 0, slow: 0 })
})
