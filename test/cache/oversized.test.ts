import t from 'tap'
import type { Cache } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

// As JSON, with its quotes and the byte in front that says so.
const text = (bytes: number) => 'x'.repeat(bytes - 3)

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('a value of maxBytes is kept; a larger one is given out, counted, and not kept', async (t) => {
      const { cache } = await store.build(t)
      t.equal(await cache.getOrSet('a', () => text(100), { maxBytes: 100 }), text(100))
      t.equal(await cache.has('a'), true)
      t.equal(await cache.getOrSet('b', () => text(101), { maxBytes: 100 }), text(101))
      t.equal(await cache.has('b'), false)
      t.equal(cache.stats().oversized, 1)
      t.equal(cache.stats().loadErrors, 0)
    })

    const large = { ttl: '1h', maxBytes: 200 }
    const ways: Array<[way: string, keep: (cache: Cache) => Promise<unknown>]> = [
      ['getOrSet', (cache) => cache.getOrSet('user:1', () => text(200), large)],
      ['getMany', (cache) => cache.getMany([1], { key: (id) => `user:${id}`, load: () => [text(200)], ...large })],
      ['set', (cache) => cache.set('user:1', text(200), large)],
      ['a resource that loads', (cache) => cache.resource('user', { load: () => text(200), ...large }).get(1)],
      ['a resource that saves', (cache) => cache.resource<string, number>('user', { load: () => 'loaded', save: () => {}, write: 'through', ...large }).set(1, text(200))]
    ]
    for (const [way, keep] of ways) {
      t.test(`what ${way} kept by a larger maxBytes than the plugin's is found by get and has`, async (t) => {
        const { cache } = await store.build(t, { maxBytes: 100 })
        await keep(cache)
        t.equal(await cache.get('user:1'), text(200))
        t.equal(await cache.has('user:1'), true)
      })
    }

    t.test('setting a larger one removes what was kept', async (t) => {
      const { cache } = await store.build(t, { maxBytes: '100b' })
      await cache.set('a', 'old')
      t.strictSame(await cache.set('a', text(101)), { shared: store.redis })
      t.equal(await cache.has('a'), false)
      t.equal(cache.stats().oversized, 1)
    })

    t.test('of a batch, only what is too large is not kept', async (t) => {
      const { cache } = await store.build(t)
      const key = (id: number) => `${id}`
      const values = await cache.getMany([10, 101, 100], { key, maxBytes: 100, load: (ids) => ids.map(text) })
      t.strictSame(values, [text(10), text(101), text(100)])
      t.strictSame(await Promise.all(['10', '101', '100'].map((key) => cache.has(key))), [true, false, true])
      t.equal(cache.stats().oversized, 1)
    })

    t.test('a value that has grown too large is not given out in its old size', async (t) => {
      const { cache, clock } = await store.build(t)
      const options = { maxBytes: 100, ttl: '1s', stale: '1h' }
      await cache.getOrSet('a', () => 'small', options)
      clock.milliseconds += 1_001
      t.equal(await cache.getOrSet('a', () => text(101), options), 'small', 'while it loads')
      await eventually(() => cache.stats().oversized === 1)
      await eventually(async () => await cache.getOrSet('a', () => text(101), options) === text(101), 500)
      t.pass()
    })
  })
}

t.test('a larger one that another process left in Redis is a miss, and never an error, compressed or not', async (t) => {
  const client = await connect(t, redis.url)
  for (const compressAbove of [false, 100] as const) {
    const prefix = freshPrefix(redis.prefix)
    const generous = await buildApp(t, { redis: client, prefix, compressAbove })
    const strict = await buildApp(t, { redis: client, prefix, compressAbove, maxBytes: 1_000 })
    await generous.cache.set('large', text(1_001))
    await generous.cache.set('sound', text(1_000))
    t.equal(await strict.cache.get('large'), undefined)
    t.equal(await strict.cache.has('large'), false)
    t.equal(await strict.cache.getOrSet('large', () => 'loaded', { maxBytes: 100 }), 'loaded')
    t.equal(await strict.cache.get('sound'), text(1_000))
    t.equal(strict.log().length, 0)
    t.equal(strict.cache.stats().redisErrors, 0)
  }
})

t.test('what was kept by a larger maxBytes than the plugin\'s is found by get and has in Redis too, when memory has lost it', async (t) => {
  const client = await connect(t, redis.url)
  const [prefix, options] = [freshPrefix(redis.prefix), { maxBytes: 1_000, memory: { maxBytes: '2kb' } } as const]
  const app = await buildApp(t, { redis: client, prefix, ...options })
  await trustsMemory(app)
  for (const key of ['first', 'second']) await app.cache.getOrSet(key, () => text(1_500), { maxBytes: 1_500 })
  await app.cache.set('pushes all else out', text(900))
  const before = app.cache.stats()
  t.equal(await app.cache.get('first'), text(1_500))
  t.equal(await app.cache.has('second'), true)
  t.match(app.cache.stats(), { redisHits: before.redisHits + 2, memoryHits: before.memoryHits })
})
