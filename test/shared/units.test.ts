import fc from 'fast-check'
import t from 'tap'
import { parseDuration, parseSize } from '../../plugins/shared/units.js'

const durations = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizes = { b: 1, kb: 1_024, mb: 1_024 ** 2, gb: 1_024 ** 3 }
const spaces = fc.constantFrom('', ' ')
const cases = fc.constantFrom((unit: string) => unit, (unit: string) => unit.toUpperCase())

t.test('a duration is its number times its unit, in either case, with or without a space', async () => {
  for (const [unit, factor] of Object.entries(durations)) {
    fc.assert(fc.property(fc.nat(), spaces, cases, (count, space, write) => parseDuration(`${count}${space}${write(unit)}`) === count * factor))
  }
})

t.test('a size is its number times its unit, a kilobyte being 1,024 bytes', async () => {
  for (const [unit, factor] of Object.entries(sizes)) {
    fc.assert(fc.property(fc.nat(), spaces, cases, (count, space, write) => parseSize(`${count}${space}${write(unit)}`) === count * factor))
  }
})

t.test('a finite number of zero or more is a duration of that many milliseconds', async () => {
  fc.assert(fc.property(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), (number) => parseDuration(number) === number))
})

t.test('every number below zero is refused', async () => {
  fc.assert(fc.property(fc.double({ max: -Number.MIN_VALUE, noNaN: true }), (number) => parseDuration(number) === undefined && parseSize(number) === undefined))
})

t.test('fractions of a unit are read, and a size is whole bytes', async (t) => {
  t.equal(parseDuration('1.5s'), 1_500)
  t.equal(parseDuration('0.25ms'), 0.25)
  t.equal(parseSize('1.5kb'), 1_536)
  t.equal(parseSize('0.3kb'), 307)
  t.equal(parseSize(2.9), 2)
})

t.test('space around a duration is ignored', async (t) => {
  t.equal(parseDuration(' 15m\n'), 900_000)
})

const refused: unknown[] = [
  '15', '', ' ', 'ms', '-1s', '+1s', '1e3ms', '1_000ms', '1,5s', '.5s', '5.s', '0x10ms', '1s2ms', '1  s', '1 day', '1sec', 'Infinitys', 'NaNms', '1toString', '1constructor', '1__proto__',
  '١s', '1ſ', '1s\u0000', `${'9'.repeat(400)}d`, NaN, Infinity, -Infinity, -1, 5n, true, false, null, undefined, {}, [], ['1s'], [5], new Date(0), () => 5, Symbol('1s'),
  { valueOf: () => 5 }, { toString: () => '5s' }
]

t.test('what is neither a number nor a number with its unit is refused, and nothing is thrown', async (t) => {
  for (const value of refused) {
    t.equal(parseDuration(value), undefined, `duration ${JSON.stringify(String(value))}`)
    t.equal(parseSize(value), undefined, `size ${JSON.stringify(String(value))}`)
  }
})

t.test('no string makes it throw, or gives anything but undefined or a finite number of zero or more', async () => {
  const nearlyRight = fc.stringMatching(/^[0-9.eE +-]{0,8}(ms|s|m|h|d|kb|mb)?$/)
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), nearlyRight), (text) => [parseDuration(text), parseSize(text)]
    .every((value) => value === undefined || (Number.isFinite(value) && value >= 0))))
})

t.test('a duration is refused as a size and a size as a duration', async (t) => {
  for (const unit of Object.keys(durations)) t.equal(parseSize(`1${unit}`), undefined)
  for (const unit of Object.keys(sizes)) t.equal(parseDuration(`1${unit}`), undefined)
})

t.test('a hostile string of a megabyte is refused without a pause', async (t) => {
  const before = performance.now()
  for (const text of ['9'.repeat(1e6), `${'9'.repeat(1e6)}.`, `${'1.'.repeat(5e5)}`, `1${' '.repeat(1e6)}x`, `1${'s'.repeat(1e6)}!`]) {
    t.equal(parseDuration(text), undefined)
  }
  t.ok(performance.now() - before < 2_000)
})
