import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { ReaderPace } from '../../plugins/stream-reply/slow-reader.js'
import { manualClock } from '../helpers/clock.js'

/** Milliseconds that a client may be behind. */
const WINDOW = 5_000
const RATE = 1_000
const PIECE = 64_000

interface Reader {
  /** Bytes a second. */
  readsAt: number
  piece: number
  /** Milliseconds that the database takes for a piece. */
  databaseTakes: number
  /** Seconds. */
  lasts: number
}

/** After how many seconds of the whole it is found too slow; looked at once a second. A piece is asked for when the one before is read. */
function foundAfter ({ readsAt, piece, databaseTakes, lasts }: Reader): number | undefined {
  const clock = manualClock()
  const pace = new ReaderPace(clock.now, RATE, WINDOW)
  let found: number | undefined
  let look = 1_000
  const pass = (milliseconds: number): void => {
    const until = Math.min(clock.now() + milliseconds, lasts * 1_000)
    for (; look <= until; look += 1_000) {
      clock.advance(look - clock.now())
      if (pace.isTooSlow()) found ??= clock.now() / 1_000
    }
    clock.advance(until - clock.now())
  }
  while (clock.now() < lasts * 1_000) {
    pass(databaseTakes)
    pace.offered(piece)
    pass(piece / readsAt * 1_000)
    pace.asked()
  }
  return found
}

t.test('a client that reads as fast as it has to is left alone, in however large pieces it is offered what it reads', async (t) => {
  for (const piece of [1, 100, 5_000, PIECE, 1_000_000]) {
    t.equal(foundAfter({ readsAt: RATE, piece, databaseTakes: 0, lasts: 3_600 }), undefined, `${piece} bytes at a time`)
    t.equal(foundAfter({ readsAt: 2 * RATE, piece, databaseTakes: 0, lasts: 3_600 }), undefined, `${piece} bytes at a time, twice as fast`)
  }
})

t.test('a client that reads at half of it is found, and not at once', async (t) => {
  for (const piece of [100, 5_000, PIECE]) {
    const found = foundAfter({ readsAt: RATE / 2, piece, databaseTakes: 0, lasts: 3_600 })
    t.ok(found !== undefined && found >= 10 && found < 300, `${piece} bytes at a time: after ${found} s`)
  }
})

t.test('time in which the database brings nothing does not count against the client', async (t) => {
  t.equal(foundAfter({ readsAt: 2 * RATE, piece: 100, databaseTakes: 60_000, lasts: 36_000 }), undefined)
  const clock = manualClock()
  const pace = new ReaderPace(clock.now, RATE, WINDOW)
  clock.advance(3_600_000)
  t.notOk(pace.isTooSlow(), 'before the first row')
  pace.offered(1)
  pace.asked()
  clock.advance(3_600_000)
  t.notOk(pace.isTooSlow(), 'between two')
})

t.test('nor does it count for the client: one that is too slow is found, however slow the database is', async (t) => {
  const found = foundAfter({ readsAt: RATE / 2, piece: 10_000, databaseTakes: 60_000, lasts: 36_000 })
  t.ok(found !== undefined, `after ${found} s`)
})

t.test('a client that stops reading is found after the time in which it should have read what it has, and five seconds, however much it has read before', async (t) => {
  for (const before of [0, 1, 1_000]) {
    const clock = manualClock()
    const pace = new ReaderPace(clock.now, 100_000, WINDOW)
    for (let count = 0; count < before; count++) {
      pace.offered(PIECE)
      clock.advance(1)
      pace.asked()
    }
    pace.offered(PIECE)
    clock.advance(5_000 + PIECE / 100 - 1)
    t.notOk(pace.isTooSlow())
    // What was asked for early may still stand in a buffer.
    clock.advance(656 + 2)
    t.ok(pace.isTooSlow(), `after ${before} pieces`)
  }
})

t.test('whatever a client is offered and when, one that keeps up is left alone', async (t) => {
  const offer = fc.record({ piece: fc.integer({ min: 1, max: 300_000 }), databaseTakes: fc.integer({ min: 0, max: 20_000 }), speed: fc.double({ min: 1, max: 100, noNaN: true }) })
  fc.assert(fc.property(fc.array(offer, { maxLength: 20 }), (offers) => {
    const clock = manualClock()
    const pace = new ReaderPace(clock.now, RATE, WINDOW)
    for (const { piece, databaseTakes, speed } of offers) {
      clock.advance(databaseTakes)
      assert(!pace.isTooSlow())
      pace.offered(piece)
      clock.advance(piece / speed)
      assert(!pace.isTooSlow())
      pace.asked()
    }
  }), { numRuns: 500 })
  t.pass('500 clients')
})
