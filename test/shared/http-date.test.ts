import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { formatHttpDate, parseHttpDate } from '../../plugins/shared/http-date.js'

const now = Date.UTC(2026, 10, 27)

t.test('each of the three formats is read', async (t) => {
  const expected = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) t.equal(parseHttpDate(text, now), expected, text)
  t.equal(parseHttpDate('Sun Nov 16 08:49:37 1994', now), Date.UTC(1994, 10, 16, 8, 49, 37))
})

t.test('what was written is read, to the second', async (t) => {
  fc.assert(fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
    const time = date.getTime()
    assert.equal(parseHttpDate(formatHttpDate(time), now), time - time % 1_000)
  }))
  t.pass('100 dates')
})

t.test('a year of two digits is the nearest that is not more than fifty years ahead', async (t) => {
  for (const [year, full] of [['26', 2026], ['76', 2076], ['77', 1977], ['99', 1999], ['00', 2000]] as const) {
    t.equal(new Date(parseHttpDate(`Sunday, 06-Nov-${year} 08:49:37 GMT`, now)!).getUTCFullYear(), full, year)
  }
})

t.test('what is no HTTP-date is none, though Date.parse would take it', async (t) => {
  for (const text of [
    '', '0', '1994', '1994-11-06T08:49:37Z', 'Sun, 6 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 UTC', 'Sun, 06 Nov 1994 08:49:37 +0000',
    'sun, 06 nov 1994 08:49:37 gmt', 'Sun, 31 Jun 1994 08:49:37 GMT', 'Sun, 00 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 24:00:00 GMT', 'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT', ' Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT'
  ]) t.equal(parseHttpDate(text, now), undefined, text)
})

t.test('a leap second is the second after it', async (t) => {
  t.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', now), Date.UTC(2017, 0, 1))
})
