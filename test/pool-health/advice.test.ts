import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { DurationSummary } from '../../plugins/shared/recent-durations.js'
import { advise, type PoolLoad } from '../../plugins/pool-health/advice.js'

const all = (count: number, milliseconds: number): DurationSummary => ({ count, mean: milliseconds, p50: milliseconds, p95: milliseconds, p99: milliseconds, max: milliseconds })

/** Ten seconds in which a thousand callers held one of ten connections for 10 ms each. */
const calm: PoolLoad = {
  max: 10,
  peak: 6,
  acquiredEver: 1_000,
  elapsed: 10_000,
  wait: all(1_000, 0),
  waited: 0,
  waitingNow: 0,
  waitingFor: 0,
  hold: all(1_000, 10),
  held: 10_000,
  heldSlowly: 0,
  slow: 0,
  areAllSlow: false,
  turnedAway: 0,
  leaked: 0
}

t.test('the figures are those of Little\'s law', async (t) => {
  t.match(advise({ ...calm, wait: all(1_000, 30) }), { arrivals: 100, hold: 10, inUse: 1, queued: 3, share: 0 })
})

t.test('nobody waits: healthy', async (t) => {
  t.match(advise(calm), { verdict: 'healthy', suggestedMax: undefined })
  t.match(advise({ ...calm, wait: all(0, 0), hold: all(0, 0), held: 0 }), { verdict: 'healthy', reason: 'nobody asks' })
})

t.test('many wait, though nobody is slow: too small, and as many are suggested as were wanted at once', async (t) => {
  const { verdict, suggestedMax, reason } = advise({ ...calm, max: 2, peak: 2, wait: all(1_000, 90), waited: 950 })
  t.equal(verdict, 'too small')
  t.equal(suggestedMax, 10, '100 a second, each there for 10 + 90 ms')
  t.match(reason, /95% of 100 callers a second found none of 2 connections free, and waited 90 ms/)
})

t.test('a few who waited, or waits that nobody feels, are no reason for more connections', async (t) => {
  t.equal(advise({ ...calm, waited: 40, wait: all(1_000, 90) }).verdict, 'healthy')
  t.equal(advise({ ...calm, waited: 900, wait: all(1_000, 2) }).verdict, 'healthy')
  t.equal(advise({ ...calm, waited: 5, wait: all(6, 90), hold: all(6, 10), held: 60 }).verdict, 'healthy', 'six callers say nothing')
})

t.test('who was refused had no connection either', async (t) => {
  t.match(advise({ ...calm, max: 2, peak: 2, turnedAway: 1_000 }), { verdict: 'too small', share: 0.5 })
})

t.test('slow holders take the connections\' time: slow query, where others wait, or will', async (t) => {
  const slow = { ...calm, max: 2, peak: 2, wait: all(1_000, 90), waited: 950, hold: all(1_000, 20), held: 20_000, heldSlowly: 15_000, slow: 30 }
  t.match(advise(slow), { verdict: 'slow query', reason: /30 callers that were slow held connections for 75% .* more connections would bring the database more slow work/, suggestedMax: undefined })
  t.equal(advise({ ...slow, waited: 0, wait: all(1_000, 0) }).verdict, 'slow query', '1.5 of 2 connections are with them')
  t.equal(advise({ ...slow, max: 10, peak: 6, waited: 0, wait: all(1_000, 0) }).verdict, 'healthy', '1.5 of 10 are no harm')
  t.equal(advise({ ...slow, heldSlowly: 9_000 }).verdict, 'too small', 'the others take more of it')
})

t.test('who waits still counts, though nothing has come back yet', async (t) => {
  const stuck = { ...calm, max: 2, peak: 2, wait: all(2, 0), hold: all(0, 0), held: 20_000, heldSlowly: 20_000, slow: 2, areAllSlow: true, waitingNow: 300, waitingFor: 9_000 }
  t.match(advise(stuck), { verdict: 'slow query', queued: 270, share: 0.99, reason: /99% of 30.2 callers a second found none of 2 connections free/ })
  t.equal(advise({ ...stuck, waitingNow: 0 }).verdict, 'healthy', 'two that are slow can be an accident')
})

t.test('a leak comes before all else', async (t) => {
  t.match(advise({ ...calm, max: 2, leaked: 1, waited: 950, wait: all(1_000, 90), slow: 30, heldSlowly: 9_000 }), { verdict: 'leak', reason: /1 of 2 connections has/ })
})

t.test('hardly ever used: over-provisioned, and half as many again as were ever used are suggested', async (t) => {
  t.match(advise({ ...calm, max: 40, peak: 4 }), { verdict: 'over-provisioned', suggestedMax: 6, reason: /never more than 4 of 40/ })
  t.equal(advise({ ...calm, max: 40, peak: 11 }).verdict, 'healthy')
  t.equal(advise({ ...calm, max: 40, peak: 4, acquiredEver: 99 }).verdict, 'healthy', 'it has hardly been asked')
  t.equal(advise({ ...calm, max: 4, peak: 1 }).verdict, 'healthy', 'there is nothing to save')
  t.equal(advise({ ...calm, max: Infinity, peak: 1 }).verdict, 'healthy', 'there is no limit to lower')
})

t.test('of a pool whose database is away nothing else is said, whatever the figures', async (t) => {
  const busy = { ...calm, waited: 90, wait: all(100, 500), turnedAway: 50, leaked: 1 }
  t.match(advise({ ...busy, awayFor: 2_500 }), { verdict: 'away', reason: /not answered for 2.5 s/ })
  t.equal('suggestedMax' in advise({ ...busy, awayFor: 0 }), false)
})

t.test('of any figures there is an advice with finite numbers, and more than max is suggested to a pool that is too small', async (t) => {
  const natural = fc.nat(100_000)
  fc.assert(fc.property(fc.record({
    max: fc.integer({ min: 1, max: 500 }), peak: natural, acquiredEver: natural, elapsed: natural, count: natural, wait: natural, waitingNow: natural, waitingFor: natural, areAllSlow: fc.boolean(), hold: natural, waited: natural, held: natural, heldSlowly: natural, slow: natural, turnedAway: natural, leaked: fc.nat(3)
  }), ({ count, wait, hold, ...load }) => {
    const { verdict, suggestedMax, reason, arrivals, inUse, queued, share } = advise({ ...load, wait: all(count, wait), hold: all(count, hold) })
    for (const figure of [arrivals, inUse, queued, share]) assert.ok(Number.isFinite(figure))
    assert.doesNotMatch(reason, /NaN|undefined/)
    if (verdict === 'too small') assert.ok(suggestedMax! > load.max)
    if (verdict === 'over-provisioned') assert.ok(suggestedMax! < load.max)
  }))
  t.pass()
})
