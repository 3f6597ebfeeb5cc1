import t from 'tap'
import type { CacheEntryOptions } from '../../plugins/cache/index.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { freshPrefix } from './build-app.js'
import { stores } from './stores.js'

stayAwake(t)

const redis = await useRedis(t)
const stale = { ttl: '10s', stale: '1m' } satisfies CacheEntryOptions
/** Waits for the flight under way, if any, rather than take a stale value. */
const strict = { stale: 0, staleOnError: 0 } satisfies CacheEntryOptions

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('a value whose time is over is given out at once, while one load brings the new one', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.getOrSet('a', () => 'old', stale)
      clock.milliseconds += 10_001
      const held = gate<string>()
      for (let round = 0; round < 3; round++) {
        const callers = Array.from({ length: 10 }, () => cache.getOrSet('a', held.pass, stale))
        for (const value of await Promise.all(callers)) t.equal(value, 'old')
      }
      t.strictSame(await cache.getMany(['a'], { key: (id) => id, load: () => { throw new Error('must not be loaded') }, ...stale }), ['old'])
      t.equal(cache.stats().staleServed, 31)
      const patient = cache.getOrSet('a', () => t.fail('must not be loaded'), strict)
      held.open('new')
      t.equal(await patient, 'new')
      t.equal(held.arrivals, 1)
      t.equal(await cache.getOrSet('a', () => t.fail('must not be loaded'), stale), 'new')
      t.equal(cache.stats().staleServed, 31)
    })

    t.test('a value is stale from the very end of its ttl, to the very end of its stale time', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.getOrSet('a', () => 'old', stale)
      clock.milliseconds += 10_000
      t.equal(await cache.getOrSet('a', () => 'new', strict), 'new', 'not for who takes none')
      await cache.getOrSet('b', () => 'old', stale)
      clock.milliseconds += 69_999
      t.equal(await cache.getOrSet('b', () => 'new', stale), 'old')
      await cache.getOrSet('c', () => 'old', stale)
      clock.milliseconds += 70_000
      t.equal(await cache.getOrSet('c', () => 'new', stale), 'new')
    })

    t.test('only getOrSet, getMany and a resource give out a stale value', async (t) => {
      const { cache, clock } = await store.build(t, stale)
      const users = cache.resource('users', { load: () => 'new' })
      await cache.set('users:1', 'old')
      clock.milliseconds += 10_000
      t.equal(await cache.get('users:1'), undefined)
      t.equal(await cache.has('users:1'), false)
      t.equal(cache.stats().staleServed, 0)
      t.equal(await users.get(1), 'old')
      t.equal(cache.stats().staleServed, 1)
    })

    t.test('a load is told the value whose time is over, a first one that there is none', async (t) => {
      const { cache, clock } = await store.build(t)
      const seen: unknown[] = []
      const load = (value: unknown) => (context: { stale: unknown }): unknown => { seen.push(context.stale); return value }
      await cache.getOrSet('a', load({ version: 1 }), stale)
      clock.milliseconds += 10_001
      await cache.getOrSet('a', load({ version: 2 }), strict)
      clock.milliseconds += 60_001
      await cache.getOrSet('a', load({ version: 3 }), stale)
      t.strictSame(seen, [undefined, { version: 1 }, undefined])
    })

    t.test('what was deleted or invalidated is not given out stale, nor told to a load', async (t) => {
      const { cache, clock } = await store.build(t)
      const all = { ...stale, staleOnError: '1h', tags: ['t'] } satisfies CacheEntryOptions
      for (const [index, forget] of [() => cache.delete('a'), () => cache.invalidateTags('t'), () => cache.clear()].entries()) {
        await cache.getOrSet('a', () => 'old', all)
        clock.milliseconds += 10_001
        await forget()
        await t.rejects(cache.getOrSet('a', () => { throw new Error('away') }, all), { message: 'away' })
        t.strictSame(await cache.getOrSet('a', ({ stale }) => ({ stale, index }), { ...all, ttl: 0 }), { stale: undefined, index })
      }
      t.equal(cache.stats().staleServed, 0)
    })

    for (const way of ['delete', 'invalidateTags'] as const) {
      t.test(`what falls to ${way} while it is loaded anew is not given out stale when that fails or takes too long`, async (t) => {
        const { cache, clock } = await store.build(t)
        const onError = { ttl: '10s', staleOnError: '1h', tags: ['t'] } satisfies CacheEntryOptions
        await cache.getOrSet('a', () => 'old', onError)
        clock.milliseconds += 10_001
        const held = gate<string>()
        const caller = t.rejects(cache.getOrSet('a', held.pass, onError), { message: 'away' })
        await held.arrived()
        const impatient = t.rejects(cache.getOrSet('a', held.pass, { ...onError, hardTimeout: '100ms' }), { code: 'FST_HEADROOM_CACHE_TIMEOUT' })
        await cache[way](way === 'delete' ? 'a' : 't')
        await impatient
        held.fail(new Error('away'))
        await caller
        t.equal(cache.stats().staleServed, 0)
      })
    }

    t.test('once a load has brought a value that is not kept, the stale one is not given out any more', async (t) => {
      const { cache, clock } = await store.build(t)
      for (const [key, load] of [
        ['told', ({ ttl }: { ttl: (ttl: number) => void }) => { ttl(0); return 'new' }],
        ['unsupported', () => Symbol('new')],
        ['oversized', () => 'x'.repeat(2_000)]
      ] as const) {
        await cache.getOrSet(key, () => 'old', stale)
        clock.milliseconds += 10_001
        await cache.getOrSet<unknown>(key, load, { ...strict, maxBytes: '1kb' })
        t.equal(await cache.getOrSet(key, () => 'newest', stale), 'newest', key)
      }
      const users = cache.resource('users', { load: () => null, ...strict })
      await cache.set('users:1', 'old', stale)
      clock.milliseconds += 10_001
      t.equal(await users.get(1), null)
      t.equal(await cache.getOrSet('users:1', () => 'newest', stale), 'newest', 'missing')
    })

    if (!store.redis) return

    t.test('where another process has brought the new value, none is loaded', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const [a, b] = [await store.build(t, { prefix }), await store.build(t, { prefix })]
      await a.cache.getOrSet('a', () => 'old', stale)
      b.clock.milliseconds = a.clock.milliseconds
      t.equal(await b.cache.getOrSet('a', () => t.fail('must not be loaded'), stale), 'old')
      a.clock.milliseconds += 10_001
      b.clock.milliseconds += 10_001
      t.equal(await b.cache.getOrSet('a', () => 'new', strict), 'new')
      const load = (): never => { throw new Error('must not be loaded') }
      t.match(await a.cache.getOrSet('a', load, stale), /old|new/)
      t.equal(await a.cache.getOrSet('a', load, strict), 'new')
      t.match(a.cache.stats(), { loads: 1, loadErrors: 0 })
    })
  })
}
