import t from 'tap'
import { cacheControl, format, formatTargeted, madePrivate, targetedCacheControl, type Directives } from '../../plugins/cache-headers/cache-control.js'
import { INVALID } from '../../plugins/shared/options.js'

const sent = (given: unknown): string => {
  const directives = cacheControl.read(given)
  return directives === INVALID || directives === undefined ? 'refused' : format(directives)
}
const targeted = (given: unknown): string => {
  const directives = targetedCacheControl.read(given)
  return directives === INVALID || directives === undefined ? 'refused' : formatTargeted(directives)
}

t.test('an object becomes the field, durations in whole seconds', async (t) => {
  t.equal(sent({ public: true, maxAge: '1h' }), 'public, max-age=3600')
  t.equal(sent({ maxAge: 60_000 }), 'max-age=60')
  t.equal(sent({ private: true, noCache: true, noStore: false, maxAge: undefined }), 'private, no-cache')
  t.equal(sent({ maxAge: '7d', sMaxage: '1d', staleWhileRevalidate: '30s', staleIfError: '1h', immutable: true }),
    'immutable, max-age=604800, s-maxage=86400, stale-while-revalidate=30, stale-if-error=3600')
  t.equal(sent({ mustRevalidate: true, proxyRevalidate: true, mustUnderstand: true, noTransform: true, noStore: true }), 'no-store, no-transform, must-revalidate, proxy-revalidate, must-understand')
  t.equal(sent({ maxAge: '365000d' }), 'max-age=2147483648')
})

t.test('a text is sent as it was meant, unknown directives too', async (t) => {
  t.equal(sent('public, max-age=3600'), 'public, max-age=3600')
  t.equal(sent('  Public ,MAX-AGE="60"\t'), 'public, max-age=60')
  t.equal(sent('private="set-cookie, x-user", max-age=60'), 'private="set-cookie, x-user", max-age=60')
  t.equal(sent('no-cache="a\\"b"'), 'no-cache="a\\"b"')
  t.equal(sent('max-age=5, community=UCI, x-flag'), 'max-age=5, community=UCI, x-flag')
})

t.test('a targeted field is a dictionary of structured fields', async (t) => {
  t.equal(targeted({ maxAge: '2h', staleWhileRevalidate: '1m', mustRevalidate: true }), 'must-revalidate, max-age=7200, stale-while-revalidate=60')
  t.equal(targeted('max-age=60, must-revalidate, x="a b"'), 'max-age=60, must-revalidate, x="a b"')
  for (const text of ['max-age="60"', 'max-age=1.5', 'Max-Age=60', 'max-age=60;', 'max-age=(1 2)', 'a=:AQ==:', 'no-store=?0']) t.equal(targeted(text), 'refused', text)
})

t.test('what nobody can have meant is refused', async (t) => {
  for (const given of [
    // Seconds are not meant by a number, and part of one cannot be sent.
    { maxAge: 60 }, { maxAge: 3_600 }, { maxAge: '1.5s' },
    {}, { maxage: 5 }, { 'max-age': 5 }, { maxAge: -1 }, { maxAge: 'soon' }, { maxAge: '15' }, { public: 'yes' }, { public: false }, [], 5, null, true,
    '', ' ', 'public,', ',public', 'max-age', 'max-age=', 'max-age=-1', 'max-age=1.5', 'max-age=soon', 'public=1', 'public private', 'max-age=5; public', 'max-age=5, max-age=6', 'a=b=c', 'é', 'a="b',
    'no-store\r\nset-cookie: a=b', 'x="a\nb"', 'x="a\\\nb"', 'x="€"',
    // One says that it may be shared, the other that it may not.
    { public: true, private: true }, { public: true, noStore: true }, { private: true, sMaxage: 5 }, 'public, private', 'private, s-maxage=5'
  ]) t.equal(sent(given), 'refused', JSON.stringify(given))
})

t.test('what is refused is said', async (t) => {
  for (const [given, reason] of [
    [{ maxage: 5 }, 'the unknown key "maxage"'], [{ maxAge: 60 }, 'maxAge: 60, which is no duration of whole seconds, such as \'60s\' (a number is milliseconds)'],
    [{ public: true, private: true }, 'public beside private, which contradict each other'], ['private, s-maxage=5', 'private beside s-maxage, which contradict each other'],
    [{ public: 1 }, 'public: 1, which is neither true nor false'], ['max-age=soon', 'max-age without whole seconds'], ['a, a', 'a twice'], ['a b', '"a b", which cannot be read'], [{}, 'no directive'], [5, '5']
  ] as const) t.equal(cacheControl.got!(given), reason)
})

t.test('made private it says nothing to shared caches, and the same to the client\'s own', async (t) => {
  const made = (text: string): string => format(madePrivate(cacheControl.read(text) as Directives))
  t.equal(made('public, max-age=60, s-maxage=600, immutable'), 'private, max-age=60, immutable')
  t.equal(made('no-cache, proxy-revalidate'), 'private, no-cache')
  t.equal(made('private="x-user", max-age=60'), 'private, max-age=60')
  t.equal(made('no-store, must-understand, s-maxage=5'), 'private, no-store, must-understand')
  for (const text of ['no-store', 'private, max-age=5', 'no-store, max-age=5']) t.equal(made(text), text)
})

t.test('nothing given is nothing sent', async (t) => {
  t.equal(cacheControl.read(undefined), undefined)
  t.equal(targetedCacheControl.read(undefined), undefined)
})
