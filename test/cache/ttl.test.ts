import t from 'tap'
import type { CacheEntryOptions } from '../../plugins/cache/index.js'
import { useRedis } from '../helpers/redis.js'
import { stores } from './stores.js'

const bad: Array<[title: string, ttl: unknown, got: string]> = [
  ['negative', -1, '-1'], ['endless', Infinity, 'Infinity'], ['not a number', NaN, 'NaN'],
  ['without a unit', '15', '"15"'], ['of an unknown unit', '15 parsecs', '"15 parsecs"'], ['null', null, 'null']
]

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    t.test('a value is given out for the ttl of the plugin, and not a millisecond longer', async (t) => {
      const { cache, clock } = await store.build(t, { ttl: '10s' })
      await cache.getOrSet('a', () => 'first')
      clock.milliseconds += 9_999
      t.equal(await cache.getOrSet('a', () => 'second'), 'first')
      clock.milliseconds += 1
      t.equal(await cache.has('a'), false)
      t.equal(await cache.get('a'), undefined)
      t.equal(await cache.getOrSet('a', () => 'second'), 'second')
    })

    t.test('a call may give a ttl of its own, to getOrSet and to set', async (t) => {
      const { cache, clock } = await store.build(t, { ttl: '1h' })
      await cache.getOrSet('loaded', () => 1, { ttl: 100 })
      await cache.set('set', 2, { ttl: '100ms' })
      clock.milliseconds += 99
      t.equal(await cache.get('loaded'), 1)
      t.equal(await cache.get('set'), 2)
      clock.milliseconds += 1
      t.equal(await cache.has('loaded'), false)
      t.equal(await cache.has('set'), false)
    })

    t.test('a load may give the ttl of what it loads, over that of the call', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.getOrSet('a', ({ ttl }) => { ttl('5s'); return 1 }, { ttl: '1h' })
      clock.milliseconds += 4_999
      t.equal(await cache.get('a'), 1)
      clock.milliseconds += 1
      t.equal(await cache.has('a'), false)
    })

    t.test('a ttl of zero keeps nothing, wherever it is given', async (t) => {
      const { cache } = await store.build(t)
      t.equal(await cache.getOrSet('in the load', ({ ttl }) => { ttl(0); return 1 }), 1)
      t.equal(await cache.has('in the load'), false)
      t.equal(await cache.getOrSet('in the call', () => 2, { ttl: 0 }), 2)
      t.equal(await cache.has('in the call'), false)
      await cache.set('set', 3)
      await cache.set('set', 4, { ttl: 0 })
      t.equal(await cache.has('set'), false, 'and removes what was there')
    })

    t.test('a plugin with a ttl of zero keeps only what says otherwise', async (t) => {
      const { cache } = await store.build(t, { ttl: 0 })
      await cache.getOrSet('a', () => 1)
      t.equal(await cache.has('a'), false)
      await cache.getOrSet('b', () => 1, { ttl: '1s' })
      t.equal(await cache.has('b'), true)
    })

    t.test('a ttl of a fraction of a millisecond or of many years is kept to', async (t) => {
      const { cache, clock } = await store.build(t)
      const years = 100 * 365 * 24 * 60 * 60 * 1_000
      await cache.set('short', 1, { ttl: 0.5 })
      await cache.set('long', 1, { ttl: years })
      t.equal(await cache.has('short'), true)
      clock.milliseconds += 1
      t.equal(await cache.has('short'), false)
      clock.milliseconds += years - 2
      t.equal(await cache.has('long'), true)
      t.equal(cache.stats().redisErrors, 0)
    })

    for (const [title, ttl, got] of bad) {
      t.test(`a ttl that is ${title} is an error that says where, what was expected and what came`, async (t) => {
        const { cache } = await store.build(t)
        const code = 'FST_HEADROOM_CACHE_OPTION'
        const tail = `expected a duration of zero or more and 36500 days at most (milliseconds, or a string such as '250ms' or '15m'), got ${got}`
        const options = { ttl } as CacheEntryOptions
        await t.rejects(cache.getOrSet('a', () => 1, options), { code, message: `cache: options.ttl: ${tail}` })
        await t.rejects(cache.set('a', 1, options), { code, message: `cache: options.ttl: ${tail}` })
        await t.rejects(cache.getOrSet('a', (context) => { context.ttl(ttl as number); return 1 }), { code, message: `cache: ttl() in a load: ${tail}` })
        t.equal(await cache.has('a'), false)
      })
    }

    t.test('a misspelt option of a call is an error that suggests the right one', async (t) => {
      const { cache } = await store.build(t)
      const message = 'cache: options.tll: expected one of the keys ttl, jitter, stale, staleOnError, refreshAhead, negativeTtl, softTimeout, hardTimeout, maxBytes, clone, tags, signal, got the unknown key "tll"; did you mean "ttl"?'
      const options = { tll: 5 } as CacheEntryOptions
      await t.rejects(cache.getOrSet('a', () => 1, options), { code: 'FST_HEADROOM_CACHE_OPTION', message })
      // A set waits for nothing that a signal could end.
      await t.rejects(cache.set('a', 1, options), { code: 'FST_HEADROOM_CACHE_OPTION', message: message.replace(', signal', '') })
      await t.rejects(cache.set('a', 1, 5 as CacheEntryOptions), { code: 'FST_HEADROOM_CACHE_OPTION', message: 'cache: options: expected an object, got 5' })
      t.equal(cache.stats().loads, 0)
    })
  })
}
