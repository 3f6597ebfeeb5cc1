import t from 'tap'
import type { CacheEntryOptions } from '../../plugins/cache/index.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { freshPrefix } from './build-app.js'
import { stores } from './stores.js'

stayAwake(t)

const redis = await useRedis(t)
const onError = { ttl: '10s', staleOnError: '1m' } satisfies CacheEntryOptions
const away = new Error('source away')

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('when a load fails, all who accept it get the stale value, and the others the error', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.getOrSet('a', () => 'old', onError)
      clock.milliseconds += 10_001
      const held = gate<string>()
      const accepting = [1, 2, 3].map(() => cache.getOrSet('a', held.pass, onError))
      const batch = cache.getMany(['a'], { key: (id) => id, load: () => ['other'], ...onError })
      const others = Promise.allSettled([1, 2].map(() => cache.getOrSet('a', held.pass)))
      await held.arrived()
      t.equal(cache.stats().staleServed, 0, 'not before it has failed')
      held.fail(away)
      t.strictSame(await Promise.all(accepting), ['old', 'old', 'old'])
      t.strictSame(await batch, ['old'])
      for (const outcome of await others) t.equal(outcome.status === 'rejected' && outcome.reason, away)
      t.equal(held.arrivals, 1)
      t.equal(cache.stats().staleServed, 4)
    })

    t.test('after a failure the source is left alone for five seconds, then asked once', async (t) => {
      const { cache, clock } = await store.build(t)
      for (const [key, options] of [['on error', onError], ['stale', { ttl: '10s', stale: '1m' }]] as const) {
        await cache.getOrSet(key, () => 'old', options)
        clock.milliseconds += 10_001
        let attempts = 0
        const failing = (): never => { attempts++; throw away }
        const settled = async (): Promise<void> => {
          // Behind whatever goes on in the background.
          await cache.getOrSet(key, failing, { ...options, stale: 0, staleOnError: '1m' })
        }
        t.equal(await cache.getOrSet(key, failing, options), 'old')
        await settled()
        t.equal(attempts, 1, key)
        clock.milliseconds += 4_999
        for (let call = 0; call < 5; call++) t.equal(await cache.getOrSet(key, failing, options), 'old')
        await settled()
        t.equal(attempts, 1, `${key}: within five seconds`)
        clock.milliseconds += 1
        for (let call = 0; call < 5; call++) t.equal(await cache.getOrSet(key, failing, options), 'old')
        await settled()
        t.equal(attempts, 2, `${key}: after five seconds, and for five more`)
        clock.milliseconds += 5_000
        t.match(await cache.getOrSet(key, () => 'new', options), /old|new/)
        t.equal(await cache.getOrSet(key, failing), 'new', `${key}: the source is back`)
      }
    })

    t.test('the pause is for who has a stale value: the others are loaded for, each time', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.getOrSet('a', () => 'old', onError)
      clock.milliseconds += 10_001
      t.equal(await cache.getOrSet('a', () => { throw away }, onError), 'old')
      for (let call = 0; call < 3; call++) await t.rejects(cache.getOrSet('a', () => { throw away }), away)
      for (let call = 0; call < 3; call++) await t.rejects(cache.getOrSet('never there', () => { throw away }, onError), away)
      t.equal(cache.stats().loadErrors, 7)
      t.equal(await cache.getOrSet('a', () => 'new'), 'new')
      t.equal(await cache.getOrSet('a', () => t.fail('must not be loaded'), onError), 'new')
    })

    t.test('a stale value serves to the very end of its time, and then the error is the answer', async (t) => {
      const { cache, clock } = await store.build(t)
      const failing = (): never => { throw away }
      await cache.getOrSet('a', () => 'old', onError)
      clock.milliseconds += 69_999
      t.equal(await cache.getOrSet('a', failing, onError), 'old')
      clock.milliseconds += 1
      await t.rejects(cache.getOrSet('a', failing, onError), away, 'also within the pause')
    })

    t.test('a caller accepts what it says itself, and no more, whatever the value was kept for', async (t) => {
      const { cache, clock } = await store.build(t)
      const failing = (): never => { throw away }
      await cache.getOrSet('a', () => 'old', { ttl: '10s', staleOnError: '1h' })
      clock.milliseconds += 15_000
      await t.rejects(cache.getOrSet('a', failing, { staleOnError: '4s' }), away)
      t.equal(await cache.getOrSet('a', failing, { staleOnError: '6s' }), 'old')
      t.equal(await cache.getOrSet('a', failing, { stale: '6s' }), 'old')
      await t.rejects(cache.getOrSet('a', failing, { stale: '4s' }), away)
    })

    t.test('for how long the source is left alone is not changed by a wall clock that is set', async (t) => {
      let elapsed = 0
      const { cache, clock } = await store.build(t, { monotonicNow: () => elapsed })
      const options = { ttl: '2h', staleOnError: '24h' }
      const hours = 60 * 60 * 1_000
      await cache.getOrSet('a', () => 'old', options)
      clock.milliseconds += 4 * hours
      t.equal(await cache.getOrSet('a', () => { throw away }, options), 'old')
      clock.milliseconds += hours
      t.equal(await cache.getOrSet('a', () => 'new', options), 'old')
      clock.milliseconds -= 2 * hours
      elapsed += 5_000
      t.equal(await cache.getOrSet('a', () => 'new', options), 'new')
    })

    t.test('an error is shared by who waits, and kept for nobody', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<string>()
      const callers = Promise.allSettled([1, 2, 3].map(() => cache.getOrSet('a', held.pass, onError)))
      await held.arrived()
      held.fail(away)
      for (const outcome of await callers) t.equal(outcome.status === 'rejected' && outcome.reason, away)
      t.equal(await cache.has('a'), false)
      t.equal(await cache.getOrSet('a', () => 'value', onError), 'value')
    })

    if (!store.redis) return

    t.test('the stale value is found in Redis, by a process that never had it', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const { cache, clock } = await store.build(t, { prefix })
      await cache.getOrSet('a', () => ({ n: 1 }), onError)
      const other = await store.build(t, { prefix, memory: { maxBytes: '1mb' } })
      other.clock.milliseconds = clock.milliseconds + 10_001
      t.strictSame(await other.cache.getOrSet('a', () => { throw away }, onError), { n: 1 })
      t.strictSame(await other.cache.getOrSet('a', () => t.fail('must not be loaded'), onError), { n: 1 })
      t.match(other.cache.stats(), { loads: 1, staleServed: 2 })
    })
  })
}
