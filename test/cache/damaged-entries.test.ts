import t, { type Test } from 'tap'
import { randomBytes, randomInt } from 'node:crypto'
import { serialize } from 'node:v8'
import { Cluster, type Redis } from 'ioredis'
import { STRUCTURED_BODY } from '../../plugins/shared/body.js'
import { entryOf } from '../../plugins/shared/entry.js'
import { ABSENT, sealTombstone, sealValue } from '../../plugins/shared/envelope.js'
import type { TagGeneration } from '../../plugins/shared/tier.js'
import { useCluster, useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, ready } from './build-app.js'
import { damaged } from '../shared/damage.js'

const redis = await useRedis(t)

async function redisOnly (t: Parameters<typeof buildApp>[0]) {
  const client: Redis = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  return { ...await buildApp(t, { redis: client, prefix, memory: false }), client, at: (key: string) => `${prefix}:cache:${key}` }
}

/** An envelope that the cache would take for its own, were it not for what is in it. */
function sealed (body: Uint8Array, { freshUntil = Date.now() + 60_000, tags = [] as TagGeneration[] } = {}): Buffer {
  return sealValue({ value: body, freshUntil, keptUntil: freshUntil, loadTime: 0, tags }, Date.now())
}

function bodyOf (value: unknown): Uint8Array {
  const own = entryOf(value)
  if ('unsupported' in own) throw new TypeError(own.unsupported)
  return own.bytes
}

t.test('ten thousand damaged entries in Redis are ten thousand misses, and no error', async (t) => {
  const { cache, client, at, log } = await redisOnly(t)
  // Written by the cache itself: undamaged, it would be given out.
  await cache.set('sound', { name: 'Ada', roles: ['admin'], balance: 100 }, { ttl: '1h' })
  const sound = (await client.getBuffer(at('sound')))!
  let given = 0
  for (let batch = 0; batch < 20; batch++) {
    const pipeline = client.pipeline()
    for (let index = 0; index < 500; index++) pipeline.set(at(`${batch}:${index}`), damaged(sound))
    await pipeline.exec()
    const values = await Promise.all(Array.from({ length: 500 }, (_, index) => cache.getOrSet<unknown>(`${batch}:${index}`, () => 'loaded')))
    given += values.filter((value) => value !== 'loaded').length
  }
  t.equal(given, 0, 'values given out of damaged entries')
  t.match(cache.stats(), { loads: 10_000, loadErrors: 0, redisErrors: 0, unreadable: 10_000 })
  t.equal(log().length, 0)
})

const foreign: Array<[title: string, put: (client: Redis, key: string) => Promise<unknown>]> = [
  ['a list', (client, key) => client.rpush(key, 'x')], ['a hash', (client, key) => client.hset(key, 'x', 1)],
  ['a set', (client, key) => client.sadd(key, 'x')], ['a stream', (client, key) => client.xadd(key, '*', 'x', '1')],
  ['a text', (client, key) => client.set(key, 'somebody else\'s text')], ['a short text', (client, key) => client.set(key, 'H')],
  ['an empty text', (client, key) => client.set(key, '')], ['a number', (client, key) => client.set(key, 5)],
  ['a bare serialised value', (client, key) => client.set(key, serialize({ admin: true }))],
  ['an entry without a value', (client, key) => client.set(key, sealed(ABSENT))],
  ['an entry that never expires', (client, key) => client.set(key, sealed(bodyOf('old'), { freshUntil: NaN }))],
  ['an entry that has expired', (client, key) => client.set(key, sealed(bodyOf('old'), { freshUntil: Date.now() - 60_000 }))],
  ['a tombstone', (client, key) => client.set(key, sealTombstone())],
  ['an entry of a later version', (client, key) => {
    const envelope = sealed(bodyOf('x'))
    envelope[1] = 99
    return client.set(key, envelope)
  }]
]

for (const [title, put] of foreign) {
  t.test(`${title} under a key is a miss and not an error, and the key can be used`, async (t) => {
    const { cache, client, at } = await redisOnly(t)
    await put(client, at('a'))
    t.equal(await cache.get('a'), undefined)
    t.equal(await cache.has('a'), false)
    t.equal(await cache.getOrSet('a', () => 'loaded'), 'loaded')
    t.strictSame(await cache.set('a', 'set'), { shared: true })
    t.equal(await cache.get('a'), 'set')
    await client.del(at('b'))
    await put(client, at('b'))
    t.strictSame(await cache.delete('b'), { shared: true })
    t.equal(await cache.has('b'), false)
    t.equal(cache.stats().redisErrors, 0)
  })
}

for (const [topology, open] of [
  ['stand-alone', (t: Test) => connect(t, redis.url)],
  ['in Cluster', async (t: Test) => await ready(t, new Cluster(await useCluster(t)))]
] as const) {
  t.test(`keys of other types in a batch are misses like the others of it: all are kept, and no other process waits, ${topology}`, async (t) => {
    const client: Cluster | Redis = await open(t)
    const prefix = freshPrefix(redis.prefix)
    const [a, b] = [await buildApp(t, { redis: client, prefix, memory: false, lease: '1m' }), await buildApp(t, { redis: client, prefix, memory: false, lease: '1m' })]
    const ids = Array.from({ length: 30 }, (_, id) => `${id}`)
    for (const id of ['3', '7', '29']) await client.rpush(`${prefix}:cache:${id}`, 'x')
    await client.rpush(`${prefix}:cache-lease:{${prefix}:cache:5}`, 'x')
    await client.rpush(`${prefix}:cache-tag:tag`, 'x')
    await client.rpush(`${prefix}:cache-tag:%00everything`, 'x')
    const options = { key: (id: string) => id, tags: ['tag'] }
    t.strictSame(await a.cache.getMany(ids, { ...options, load: (missing) => missing.map((id) => `of a: ${id}`) }), ids.map((id) => `of a: ${id}`))
    t.strictSame(await b.cache.getMany(ids, { ...options, load: () => t.fail('they are kept') as never }), ids.map((id) => `of a: ${id}`))
    t.equal(a.cache.stats().redisErrors, 0)
    if (topology === 'in Cluster') t.equal(a.cache.stats().unreadable, 3, 'where each is read for itself, they are counted')
    for (const id of ids) t.equal(await client.exists(`${prefix}:cache-lease:{${prefix}:cache:${id}}`), 0)
  })
}

/** As the cache writes what JSON cannot hold. */
function structured (value: unknown): Buffer {
  return Buffer.concat([Uint8Array.of(STRUCTURED_BODY), serialize(value)])
}

t.test('a hostile entry of few bytes does not hold up the app', async (t) => {
  const { cache, client, at } = await redisOnly(t)
  const sparse: unknown[] = []
  sparse.length = 2 ** 32 - 1
  let graph: unknown[] = []
  for (let level = 0; level < 60; level++) graph = [graph, graph]
  await client.set(at('sparse'), sealed(structured(sparse)))
  await client.set(at('graph'), sealed(structured(graph)))
  const began = performance.now()
  await cache.get('sparse')
  await cache.get('graph')
  t.ok(performance.now() - began < 1_000)
})

t.test('random bytes as the value of a sound entry are a miss or a value, and never an error', async (t) => {
  const { cache, client, at } = await redisOnly(t)
  const pipeline = client.pipeline()
  for (let index = 0; index < 1_000; index++) {
    const bytes = Buffer.concat([structured(undefined).subarray(0, 3), randomBytes(randomInt(1, 60))])
    pipeline.set(at(String(index)), sealed(bytes))
  }
  await pipeline.exec()
  await t.resolves(Promise.all(Array.from({ length: 1_000 }, (_, index) => cache.get(String(index)))))
})
