import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { CacheEntryOptions } from '../../plugins/cache/index.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { freshPrefix } from './build-app.js'
import { stores } from './stores.js'

stayAwake(t)

const redis = await useRedis(t)

const ahead = { ttl: '10s', jitter: 0, refreshAhead: 100 } satisfies CacheEntryOptions
/** Chance has it that XFetch refreshes as early as it ever does. */
const early = { random: () => 1 - Number.EPSILON }
/** A load whose time can be measured, as XFetch needs it. A timer alone counts from before the load, on a busy machine. */
const slow = async <T>(value: T): Promise<T> => {
  const began = performance.now()
  while (performance.now() - began < 5) await delay(1)
  return value
}

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('near its end a value is loaded anew, once, while all who ask get the fresh old one at once', async (t) => {
      const { cache, clock } = await store.build(t, early)
      await cache.getOrSet('a', () => slow('old'), ahead)
      clock.milliseconds += 9_999
      const held = gate<string>()
      for (let round = 0; round < 3; round++) {
        const callers = Array.from({ length: 10 }, () => cache.getOrSet('a', held.pass, ahead))
        for (const value of await Promise.all(callers)) t.equal(value, 'old')
        t.strictSame(await cache.getMany(['a'], { key: (id) => id, load: () => { throw new Error('must not be loaded') }, ...ahead }), ['old'])
      }
      await held.arrived()
      clock.milliseconds += 2
      const patient = cache.getOrSet('a', () => t.fail('must not be loaded'), { ttl: '10s' })
      held.open('new')
      t.equal(await patient, 'new')
      t.equal(held.arrivals, 1)
      t.equal(await cache.get('a'), 'new', 'the new one is kept, for a ttl of its own')
      clock.milliseconds += 9_999
      t.equal(await cache.get('a'), 'new')
      t.match(cache.stats(), { loads: 2, staleServed: 0 })
    })

    t.test('far from its end a value is not loaded anew, nor where it was not asked for', async (t) => {
      for (const [random, refreshAhead, elapsed] of [[0, 100, 9_999], [1 - Number.EPSILON, 0.01, 1], [1 - Number.EPSILON, false, 9_999]] as const) {
        const { cache, clock } = await store.build(t, { random: () => random })
        await cache.getOrSet('a', () => slow('old'), ahead)
        clock.milliseconds += elapsed
        t.equal(await cache.getOrSet('a', () => t.fail('must not be loaded'), { ...ahead, refreshAhead }), 'old')
        await cache.getOrSet('b', () => 'what is asked for later is loaded later')
        t.equal(cache.stats().loads, 2)
      }
    })

    t.test('a refresh that fails leaves the old value, and leaves the source alone for five seconds', async (t) => {
      const { cache, clock } = await store.build(t, early)
      const long = { ...ahead, ttl: '1m' } satisfies CacheEntryOptions
      await cache.getOrSet('a', () => slow('old'), long)
      await delay(1)
      clock.milliseconds += 50_000
      let attempts = 0
      const factor = { ...long, refreshAhead: 100 }
      const failing = (): never => { attempts++; throw new Error('away') }
      const ask = async (calls: number): Promise<void> => {
        for (let call = 0; call < calls; call++) {
          t.equal(await cache.getOrSet('a', failing, factor), 'old')
          // Behind the refresh, if one has begun.
          await cache.getOrSet(`${clock.milliseconds}:${call}`, () => slow('other'))
        }
      }
      await ask(5)
      t.equal(attempts, 1)
      clock.milliseconds += 4_999
      await ask(5)
      t.equal(attempts, 1)
      clock.milliseconds += 1
      await ask(5)
      t.equal(attempts, 2)
    })

    t.test('a refresh is not ended by the signal of the caller that happened to start it', async (t) => {
      const { cache, clock } = await store.build(t, early)
      await cache.getOrSet('a', () => slow('old'), ahead)
      clock.milliseconds += 9_999
      const held = gate<string>()
      let signal!: AbortSignal
      const leaving = new AbortController()
      t.equal(await cache.getOrSet('a', async (context) => { signal = context.signal; return await held.pass() }, { ...ahead, signal: leaving.signal }), 'old')
      await held.arrived()
      leaving.abort()
      t.equal(signal.aborted, false)
      clock.milliseconds += 2
      const patient = cache.getOrSet('a', () => t.fail('must not be loaded'))
      held.open('new')
      t.equal(await patient, 'new')
    })

    t.test('a refresh that began before a delete brings nothing back', async (t) => {
      const { cache, clock } = await store.build(t, early)
      await cache.getOrSet('a', () => slow('old'), ahead)
      clock.milliseconds += 9_999
      const held = gate<string>()
      t.equal(await cache.getOrSet('a', held.pass, ahead), 'old')
      await held.arrived()
      await cache.delete('a')
      held.open('refreshed')
      await cache.getOrSet('b', () => slow('b'))
      t.equal(await cache.has('a'), false)
    })

    if (!store.redis) return

    t.test('what one process has refreshed serves the others, and none refreshes it again', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const { cache, clock } = await store.build(t, { prefix, ...early })
      const other = await store.build(t, { prefix, ...early, memory: { maxBytes: '1mb' } })
      await cache.getOrSet('a', () => slow('old'), ahead)
      other.clock.milliseconds = clock.milliseconds
      t.equal(await other.cache.getOrSet('a', () => t.fail('must not be loaded'), { ttl: '10s' }), 'old')
      clock.milliseconds += 9_999
      other.clock.milliseconds += 9_999
      const held = gate<string>()
      t.equal(await cache.getOrSet('a', held.pass, ahead), 'old')
      await held.arrived()
      clock.milliseconds += 2
      const patient = cache.getOrSet('a', () => t.fail('must not be loaded'))
      held.open('new')
      t.equal(await patient, 'new')
      t.equal(await other.cache.getOrSet('a', () => t.fail('must not be loaded'), ahead), 'old', 'still fresh there')
      other.clock.milliseconds += 2
      t.equal(await other.cache.getOrSet('a', () => t.fail('must not be loaded')), 'new')
      t.equal(other.cache.stats().loads, 0)
    })
  })
}
