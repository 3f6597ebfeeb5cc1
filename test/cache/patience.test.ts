import t from 'tap'
import type { CacheEntryOptions } from '../../plugins/cache/index.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { stores } from './stores.js'

stayAwake(t)

const TIMEOUT = { code: 'FST_HEADROOM_CACHE_TIMEOUT', statusCode: 504 }

/** Fresh for ten seconds of the clock, and at hand for a minute more. */
const kept = { ttl: '10s', staleOnError: '1m' } satisfies CacheEntryOptions

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    t.test('a load that takes too long fails the call with a timeout, goes on, and what it brings is kept', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<string>()
      await t.rejects(cache.getOrSet('a', held.pass, { hardTimeout: '15ms' }), {
        ...TIMEOUT, message: 'cache: the load did not end within 15 ms; it goes on, and what it brings is kept'
      })
      const patient = cache.getOrSet('a', () => t.fail('must not be loaded'))
      held.open('late')
      t.equal(await patient, 'late')
      t.equal(await cache.get('a'), 'late')
      t.match(cache.stats(), { loads: 1, loadErrors: 0 })
    })

    t.test('no second load begins beside one that takes too long, however many callers come later', async (t) => {
      const { cache } = await store.build(t, { hardTimeout: '10ms' })
      const held = gate<string>()
      for (let round = 0; round < 5; round++) {
        const callers = Array.from({ length: 20 }, () => cache.getOrSet('a', held.pass))
        for (const outcome of await Promise.allSettled(callers)) t.match(outcome, { status: 'rejected', reason: TIMEOUT })
      }
      t.equal(held.arrivals, 1)
      const patient = cache.getOrSet('a', held.pass, { hardTimeout: '1m' })
      held.open('late')
      t.equal(await patient, 'late')
      t.equal(held.arrivals, 1)
    })

    t.test('each of those who share a load waits for as long as it said itself', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<string>()
      const patient = cache.getOrSet('a', held.pass, { hardTimeout: '1m' })
      await held.arrived()
      await t.rejects(cache.getOrSet('a', held.pass, { hardTimeout: '10ms' }), TIMEOUT)
      await t.rejects(cache.getOrSet('a', held.pass, { hardTimeout: '5ms' }), TIMEOUT)
      held.open('late')
      t.equal(await patient, 'late')
    })

    t.test('a load that fails after its callers have gone fails nobody else', async (t) => {
      const { cache } = await store.build(t, { hardTimeout: '10ms' })
      const held = gate<string>()
      await t.rejects(cache.getOrSet('a', held.pass), TIMEOUT)
      held.fail(new Error('nobody hears this'))
      const patient = { hardTimeout: '1m' } as const
      t.equal(await cache.getOrSet('b', () => 'b', patient), 'b')
      t.equal(await cache.getOrSet('a', () => 'anew', patient).catch(() => cache.getOrSet('a', () => 'anew', patient)), 'anew')
    })

    t.test('the hard timeout of the plugin bounds every way to wait for a load', async (t) => {
      const { cache } = await store.build(t, { hardTimeout: '10ms' })
      const held = gate<never>()
      const load = async (): Promise<string> => await held.pass()
      const resource = cache.resource('users', { load })
      const all = cache.resource('all', { load, loadMany: async () => [await load(), await load()] })
      await t.rejects(cache.getOrSet('a', load), TIMEOUT, 'who begins it')
      await t.rejects(cache.getOrSet('a', load), TIMEOUT, 'who joins it')
      await t.rejects(cache.getMany(['b', 'c'], { key: (id) => id, load: async () => [await load(), await load()] }), TIMEOUT)
      t.match(await cache.getMany(['d', 'a'], { key: (id) => id, load: async () => [await load()], settle: true }), [
        { status: 'rejected', reason: TIMEOUT }, { status: 'rejected', reason: TIMEOUT }
      ])
      await t.rejects(resource.get(1), TIMEOUT)
      await t.rejects(resource.getMany([1, 2]), TIMEOUT)
      await t.rejects(all.getMany([1, 2]), TIMEOUT)
      await t.rejects(resource.refresh(1), TIMEOUT)
      held.fail(new Error('too late'))
    })

    t.test('where a load takes too long, a stale value that may be given out is, and the load ends in the background', async (t) => {
      for (const timeout of ['softTimeout', 'hardTimeout'] as const) {
        const { cache, clock } = await store.build(t)
        await cache.getOrSet('a', () => 'old', kept)
        clock.milliseconds += 10_001
        const held = gate<string>()
        t.equal(await cache.getOrSet('a', held.pass, { ...kept, [timeout]: '10ms' }), 'old')
        t.equal(cache.stats().staleServed, 1)
        const patient = cache.getOrSet('a', () => t.fail('must not be loaded'))
        held.open('new')
        t.equal(await patient, 'new')
        t.equal(await cache.get('a'), 'new')
      }
    })

    t.test('a soft timeout changes nothing for a load that ends in time, nor where no stale value may be given out', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.getOrSet('a', () => 'old', kept)
      clock.milliseconds += 10_001
      const held = gate<string>()
      const strict = cache.getOrSet('a', held.pass, { softTimeout: '1ms' })
      await held.arrived()
      await t.rejects(cache.getOrSet('a', held.pass, { softTimeout: '1ms', hardTimeout: '20ms' }), TIMEOUT)
      held.open('new')
      t.equal(await strict, 'new')
      t.equal(await cache.getOrSet('b', () => 'b', { ...kept, softTimeout: '1m' }), 'b')
      t.equal(cache.stats().staleServed, 0)
    })

    t.test('more callers than may wait for one key fail at once, and those who wait are not harmed', async (t) => {
      const { cache } = await store.build(t, { maxWaiters: 3 })
      const held = gate<string>()
      const callers = Array.from({ length: 3 }, () => cache.getOrSet('a', held.pass))
      await held.arrived()
      const busy = { code: 'FST_HEADROOM_CACHE_BUSY', statusCode: 503, message: 'cache: 3 callers wait for this key already' }
      await t.rejects(cache.getOrSet('a', held.pass), busy)
      await t.rejects(cache.getMany(['a'], { key: (id) => id, load: () => ['other'] }), busy)
      t.equal(await cache.getOrSet('b', () => 'b'), 'b', 'another key is not concerned')
      held.open('value')
      t.strictSame(await Promise.all(callers), ['value', 'value', 'value'])
      t.equal(await cache.getOrSet('a', held.pass), 'value')
      t.equal(held.arrivals, 1)
    })

    t.test('who has given up waiting makes room for another', async (t) => {
      const { cache } = await store.build(t, { maxWaiters: 2 })
      const held = gate<string>()
      const first = cache.getOrSet('a', held.pass)
      await held.arrived()
      await t.rejects(cache.getOrSet('a', held.pass, { hardTimeout: '5ms' }), TIMEOUT)
      const leaving = new AbortController()
      const left = cache.getOrSet('a', held.pass, { signal: leaving.signal })
      leaving.abort(new Error('left'))
      await t.rejects(left, { message: 'left' })
      const second = cache.getOrSet('a', held.pass)
      held.open('value')
      t.strictSame(await Promise.all([first, second]), ['value', 'value'])
    })
  })
}
