import fc from 'fast-check'
import t from 'tap'
import { Hearing, PATIENCE, type Word } from '../../plugins/cache/hearing.js'

const message = (number: number, unsent: number[] = [], origin = 'other', announced = number - 1): Word => ({ origin, number, announced, unsent })
const beat = (announced: number, unsent: number[] = [], origin = 'other'): Word => ({ origin, number: undefined, announced, unsent })

/** Told of each word at its time; whether, by the time of the last and a while after it, something was found missing. */
function misses (words: ReadonlyArray<readonly [number, Word]>, began = 0): boolean {
  const hearing = new Hearing()
  hearing.begin(began)
  let missed = false
  for (const [now, word] of words) missed = hearing.misses(now) || hearing.hear(word, now) || missed
  return hearing.misses(words.at(-1)![0] + PATIENCE) || missed
}

const number = fc.integer({ min: 1, max: 30 })

t.test('whoever hears every message misses none, in whatever order they come within the patience', async () => {
  fc.assert(fc.property(number, fc.array(fc.double({ min: 0, max: PATIENCE - 1, noNaN: true }), { minLength: 30, maxLength: 30 }), (count, delays) => {
    const words = Array.from({ length: count }, (_, index): [number, Word] => [index + delays[index]!, message(index + 1)])
    return !misses([[0, beat(0)], ...words.sort(([a], [b]) => a - b), [count + PATIENCE, beat(count)]])
  }))
})

t.test('a message that is lost is missed by the time of the next word and the patience, whichever it is', async () => {
  fc.assert(fc.property(number, number, (count, lost) => {
    fc.pre(lost <= count)
    const heard = Array.from({ length: count }, (_, index) => index + 1).filter((one) => one !== lost)
    return misses([[0, beat(0)], ...heard.map((one): [number, Word] => [one, message(one)]), [count + 1, beat(count)]])
  }))
})

t.test('a message that was never sent is not missed', async (t) => {
  t.notOk(misses([[0, beat(0)], [1, message(1)], [2, message(3, [2])], [3, beat(3)]]))
  t.notOk(misses([[0, beat(0)], [1, message(2)], [20, message(3, [1])]]), 'also where that is said later')
  t.ok(misses([[0, beat(0)], [1, message(1)], [2, message(4, [2])]]), 'but another one is')
})

t.test('what is late is given its time, and no more', async (t) => {
  const hearing = new Hearing()
  hearing.begin(0)
  hearing.hear(message(1), 0)
  hearing.hear(message(3), 10)
  t.ok(hearing.waits)
  t.notOk(hearing.misses(10 + PATIENCE - 1))
  hearing.hear(message(2), 10 + PATIENCE - 1)
  t.notOk(hearing.waits)
  hearing.hear(message(5), 100)
  t.ok(hearing.misses(100 + PATIENCE))
  t.notOk(hearing.misses(100 + PATIENCE), 'once')
  hearing.hear(message(4), 200)
  hearing.hear(message(6), 200)
  t.notOk(hearing.misses(300), 'and from then on it is heard as before')
})

t.test('each message that is late has a time of its own', async (t) => {
  const late = Array.from({ length: 20 }, (_, index): Array<[number, Word]> => [[index * 20, message(2 * index + 2)], [index * 20 + 19, message(2 * index + 1)]]).flat()
  t.notOk(misses([[0, beat(0)], ...late]))
})

t.test('of one who was there before, what it said before does not matter', async (t) => {
  t.notOk(misses([[500, message(1_000)], [501, message(1_001)]]))
  t.ok(misses([[500, message(1_000)], [501, message(1_002)]]))
})

t.test('one who is met later than it must have been has said something unheard', async (t) => {
  t.ok(misses([[60_000, message(7)]]))
  t.ok(misses([[60_000, beat(7)]]))
  t.notOk(misses([[60_000, message(1)]]), 'but for one who has just come')
  t.notOk(misses([[60_000, beat(0)]]))
})

t.test('one who falls silent may have said something unheard, but not one who takes leave', async (t) => {
  const hearing = new Hearing()
  hearing.begin(0)
  hearing.hear(beat(0), 0)
  hearing.hear(beat(0, [], 'polite'), 0)
  t.notOk(hearing.leave(beat(0, [], 'polite'), 1))
  t.notOk(hearing.misses(10_000))
  t.ok(hearing.misses(10_001))
  t.notOk(hearing.misses(20_001), 'once')
})

t.test('several are told apart', async (t) => {
  t.notOk(misses([[0, message(1)], [1, message(1, [], 'third')], [2, message(2)], [3, message(2, [], 'third')]]))
  t.ok(misses([[0, message(1)], [1, message(1, [], 'third')], [2, message(2)], [3, message(3, [], 'third')]]))
})

t.test('one who takes leave, and whose last words have not been heard, has said something unheard', async (t) => {
  const hearing = new Hearing()
  hearing.begin(0)
  hearing.hear(message(1), 0)
  t.notOk(hearing.leave(beat(1), 1))
  t.notOk(hearing.waits)
  hearing.hear(message(1), 2)
  t.ok(hearing.leave(beat(2), 3))
  t.ok(hearing.leave(beat(1, [], 'a stranger'), 60_000), 'also where none of them has')
  t.notOk(hearing.leave(beat(1, [1], 'another'), 60_000), 'but what was never sent')
})

t.test('a message that is on its way is not missed until it is announced as sent', async (t) => {
  t.notOk(misses([[0, beat(0)], [1, message(3, [], 'other', 0)], [500, message(4, [], 'other', 0)], [900, beat(0)]]), 'one that a slow server holds up')
  t.notOk(misses([[0, beat(0)], [1, message(3, [], 'other', 0)], [500, message(1)], [501, message(2)], [502, beat(3)]]))
  t.ok(misses([[0, beat(0)], [1, message(3, [], 'other', 0)], [500, message(1)], [502, beat(3)]]))
})
