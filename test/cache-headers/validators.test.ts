import fc from 'fast-check'
import assert from 'node:assert/strict'
import pg from 'pg'
import t from 'tap'
import { microsecondDates } from '../../plugins/cache-headers/microsecond-dates.js'
import { isSettled, validatorsOf } from '../../plugins/cache-headers/validators.js'
import { parseEntityTag, formatEntityTag } from '../../plugins/shared/entity-tag.js'
import { splitTag } from '../../plugins/shared/encoded-tag.js'

const TIMESTAMPTZ = 1184
const TIMESTAMP = 1114
const fromPostgres = (text: string, oid = TIMESTAMPTZ): Date => microsecondDates(pg.types).getTypeParser(oid)(text) as Date
const opaque = (version: unknown): string | undefined => validatorsOf(version)?.tag.opaque

t.test('a version that can stand in a tag stands there as it is', async (t) => {
  for (const version of ['v1', '17', 'a-b_c.d~e', '2026-11-27', 'W/x', 'YWJj+/=']) t.equal(opaque(version), version)
})

t.test('no two versions have one tag; each can be read by whoever gets it, and is in no coding', async (t) => {
  const version = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.string({ unit: fc.constantFrom('%', '2', '5', 'C', '"', ',', ':', 'b', 'r', 'é', '\ud800'), minLength: 1 }),
    fc.string({ minLength: 190, maxLength: 300 }))
  fc.assert(fc.property(version, version, (a, b) => {
    const [first, second] = [opaque(a)!, opaque(b)!]
    assert.equal(first === second, a === b)
    assert.deepEqual(parseEntityTag(formatEntityTag({ weak: false, opaque: first })), { weak: false, opaque: first })
    assert.match(first, /^[\x21-\x7e]{1,300}$/)
    assert.equal(splitTag(first).coding, '')
  }), { numRuns: 5_000 })
  t.pass('5,000 pairs')
})

t.test('a date is its own text, with the microseconds that Postgres has', async (t) => {
  t.equal(opaque(new Date(Date.UTC(2026, 10, 27, 11, 8, 48, 123))), '2026-11-27T11:08:48.123Z')
  t.equal(opaque(fromPostgres('2026-11-27 11:08:48.123456+00')), '2026-11-27T11:08:48.123456Z')
  t.equal(opaque(fromPostgres('2026-11-27 11:08:48.1234+00')), '2026-11-27T11:08:48.123400Z')
  t.equal(opaque(fromPostgres('2026-11-27 11:08:48.1+02')), '2026-11-27T09:08:48.100000Z')
  t.equal(opaque(fromPostgres('2026-11-27 11:08:48+00')), '2026-11-27T11:08:48.000000Z')
  t.match(opaque(fromPostgres('2026-11-27 11:08:48.123456', TIMESTAMP)), /\.123456Z$/)
})

t.test('of what is no timestamp the parsers are those that were given', async (t) => {
  const types = microsecondDates(pg.types)
  t.equal(types.getTypeParser(23)('7'), 7)
  t.equal(types.getTypeParser(TIMESTAMPTZ)('infinity'), Infinity)
  t.equal(types.getTypeParser(TIMESTAMPTZ, 'binary'), pg.types.getTypeParser(TIMESTAMPTZ, 'binary'))
  t.equal(JSON.stringify(fromPostgres('2026-11-27 11:08:48.123456+00')), '"2026-11-27T11:08:48.123Z"')
})

t.test('a date is told rounded up, and only when nothing can get it any more', async (t) => {
  const lastModified = (milliseconds: number): number | undefined => validatorsOf(new Date(milliseconds))?.lastModified
  t.equal(lastModified(5_000), 5_000)
  t.equal(lastModified(5_001), 6_000)
  t.equal(lastModified(5_999), 6_000)
  t.equal(validatorsOf(fromPostgres('1970-01-01 00:00:05.000001+00'))?.lastModified, 6_000)
  t.notOk(isSettled(6_000, 6_000))
  t.notOk(isSettled(6_000, 7_000))
  t.ok(isSettled(6_000, 7_001))
})

t.test('of a date that ends at milliseconds nothing is sure at once: another update can have it too', async (t) => {
  t.equal(validatorsOf(new Date(5_001))!.sureFrom, 5_101)
  t.equal(validatorsOf(fromPostgres('1970-01-01 00:00:05.001+00'))!.sureFrom, 5_101)
  t.equal(validatorsOf(fromPostgres('2026-11-27 11:08:48.123456+00'))!.sureFrom, -Infinity)
  t.equal(validatorsOf('v1')!.sureFrom, -Infinity)
  // MySQL's DATETIME has whole seconds.
  t.equal(validatorsOf(new Date(5_000))!.sureFrom, 6_100)
})

t.test('what is no version has no tag', async (t) => {
  for (const version of ['', 0, 17, NaN, true, {}, [], new Date(NaN), null, undefined]) t.equal(validatorsOf(version), undefined)
})
