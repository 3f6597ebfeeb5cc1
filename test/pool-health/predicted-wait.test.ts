import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { RecentLoad } from '../../plugins/pool-health/recent-load.js'
import { predictedWait } from '../../plugins/pool-health/predicted-wait.js'

t.test('of connections that are all held for the same time, one comes back each hold/number', async (t) => {
  t.equal(predictedWait(0, 100, [0, 20, 40, 60, 80]), 20)
  t.equal(predictedWait(4, 100, [0, 20, 40, 60, 80]), 100, 'four are ahead')
})

t.test('one that has been held for longer than usual is not expected back soon', async (t) => {
  t.equal(predictedWait(0, 100, [30_000]), 30_000, 'it may be leaked')
  t.ok(predictedWait(0, 100, [30_000, 10]) > 99)
})

t.test('with nothing to go by, nobody is refused', async (t) => {
  t.equal(predictedWait(10, 0, [0]), 0, 'held since this moment, and nothing has come back yet')
  t.equal(predictedWait(10, 50, []), 0)
})

t.test('who comes later waits longer, more connections let nobody wait longer, and slower ones nobody shorter', async (t) => {
  const ages = fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 30 })
  fc.assert(fc.property(ages, fc.integer({ min: 1, max: 10_000 }), fc.nat(1_000), fc.integer({ min: 1, max: 60_000 }), (held, mean, ahead, age) => {
    const wait = predictedWait(ahead, mean, held)
    assert.ok(wait > 0 && Number.isFinite(wait))
    assert.ok(predictedWait(ahead + 1, mean, held) > wait)
    assert.ok(predictedWait(ahead, mean, [...held, age]) < wait)
    assert.ok(predictedWait(ahead, mean * 2, held) >= wait)
    assert.ok(predictedWait(ahead, mean, held.map((one) => one * 2)) >= wait)
  }))
  t.pass()
})

t.test('a queue in front of connections that are held at random is predicted well', async (t) => {
  // Exponential holds of 20 ms on 5 connections: the n-th in the queue has one after n/5 holds on average.
  let seed = 7
  const random = (): number => { seed = (seed * 48_271) % 2_147_483_647; return seed / 2_147_483_647 }
  const hold = (): number => -20 * Math.log(random())
  for (const ahead of [0, 4, 19]) {
    let predicted = 0
    let actual = 0
    const runs = 4_000
    for (let run = 0; run < runs; run++) {
      const holds = Array.from({ length: 5 }, () => { const age = -20 * Math.log(random()); return { age, left: hold() } })
      predicted += predictedWait(ahead, 20, holds.map(({ age }) => age))
      const left = holds.map((one) => one.left)
      let moment = 0
      for (let served = 0; served <= ahead; served++) {
        const next = left.indexOf(Math.min(...left))
        moment = left[next]!
        left[next] = moment + hold()
      }
      actual += moment
    }
    const ratio = predicted / actual
    // Holders of exponential times are as likely to end soon however old they are: that old ones count as slower makes it more careful.
    t.ok(ratio > 0.95 && ratio < 1.6, `${ahead} ahead: predicted ${(predicted / runs).toFixed(1)} ms, was ${(actual / runs).toFixed(1)} ms`)
  }
})

t.test('one hold that was very long is one among many', async (t) => {
  const load = new RecentLoad(100, 0)
  load.held(0, 600_000)
  t.equal(load.usualHold, 600_000, 'nothing else is known')
  for (let n = 0; n < 4; n++) load.held(600_000, 600_020)
  t.equal(load.usualHold, 20)
  for (let n = 0; n < 100; n++) load.held(0, n % 3 === 0 ? 3_000 : 2)
  t.equal(load.usualHold, 2, 'also where every third is slow')
})
