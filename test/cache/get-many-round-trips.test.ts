import t, { type Test } from 'tap'
import type { CacheOptions } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, heard, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

const key = (id: number) => `user:${id}`
const load = (ids: number[]) => ids.map((id) => `name of ${id}`)
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index)

/** An app whose commands to Redis are counted, and that has learnt all it learns once. */
async function counted (t: Test, options: CacheOptions = {}) {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const sent: Array<{ command: 'read' | 'write', keys: number }> = []
  const app = await buildApp(t, {
    prefix,
    redis: altered(client, {
      getBuffer (key) {
        sent.push({ command: 'read', keys: 1 })
        return client.getBuffer(key)
      },
      mgetBuffer (...keys) {
        sent.push({ command: 'read', keys: keys.length })
        return client.mgetBuffer(...keys)
      },
      eval (script, keys, ...rest) {
        sent.push({ command: 'write', keys: Number(keys) })
        return client.eval(script, keys, ...rest)
      }
    }),
    ...options
  })
  await heard(client, prefix, 1)
  await app.cache.getOrSet('warm-up', () => 1)
  sent.length = 0
  return { ...app, sent, client, prefix }
}

t.test('up to two hundred ids cost Redis one read, one question whose turn it is, and one write, however few', async (t) => {
  for (const count of [1, 2, 100, 198, 200]) {
    const { cache, sent } = await counted(t)
    await cache.getMany(numbers(count), { key, load })
    // Of each id its own key, and that of the lease to load it.
    t.strictSame(sent.map(({ command }) => command), ['read', 'write', 'write'], `${count} ids`)
    t.strictSame(sent.slice(1).map(({ keys }) => keys), [2 * count, 2 * count])
  }
})

t.test('a thousand ids are read and written in a handful of commands', async (t) => {
  const { cache, sent } = await counted(t)
  await cache.getMany(numbers(1_000), { key, load })
  const [reads, writes] = [sent.filter(({ command }) => command === 'read'), sent.filter(({ command }) => command === 'write')]
  t.ok(reads.length <= 6, `${reads.length} reads`)
  t.ok(reads.every(({ keys }) => keys <= 256))
  // Leases taken, and values written: of each id its own key and that of its lease.
  t.ok(writes.length <= 2 * 6, `${writes.length} writes`)
  t.ok(writes.every(({ keys }) => keys <= 2 * 256))
  t.equal(writes.reduce((sum, { keys }) => sum + keys, 0), 2 * 2 * 1_000)
})

t.test('what takes several reads is read one part after the other: each has a command\'s time, and others come in between', async (t) => {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const writer = await buildApp(t, { redis: client, prefix })
  await writer.cache.getMany(numbers(600), { key, load })
  await writer.cache.set('other', 'value')
  const parts = gate()
  const { cache } = await buildApp(t, {
    prefix,
    memory: false,
    redis: altered(client, { mgetBuffer: async (...keys) => { if (keys.length > 10) await parts.pass(); return await client.mgetBuffer(...keys) } })
  })
  const many = cache.getMany(numbers(600), { key, load: (): string[] => { throw new Error('must not be loaded') } })
  for (const part of [1, 2, 3]) {
    await parts.arrived(part)
    t.equal(await cache.get('other'), 'value')
    t.equal(parts.arrivals, part, 'the next one has not been asked for')
    parts.letOne()
  }
  t.strictSame(await many, load(numbers(600)))
})

t.test('large values are written a megabyte a command, so that Redis is not held up', async (t) => {
  const { cache, sent } = await counted(t, { compressAbove: false })
  await cache.getMany(numbers(10), { key, load: (ids) => ids.map((id) => `${id}`.repeat(300_000)) })
  const [leases, ...writes] = sent.filter(({ command }) => command === 'write')
  t.equal(leases?.keys, 2 * 10)
  t.equal(writes.length, 4)
  t.equal(await cache.get(key(9)), '9'.repeat(300_000))
})

t.test('what memory has is not asked of Redis, and what Redis has is not loaded', async (t) => {
  const { cache, sent, client, prefix } = await counted(t)
  const other = await buildApp(t, { redis: client, prefix })
  await cache.getMany(numbers(50), { key, load })
  await other.cache.getMany(numbers(50, 50), { key, load: (ids) => ids.map((id) => `other's ${id}`) })
  sent.length = 0
  const before = cache.stats()
  const asked: number[][] = []
  const values = await cache.getMany(numbers(150), { key, load: (ids) => { asked.push([...ids]); return load(ids) } })
  t.strictSame(values, numbers(150).map((id) => id >= 50 && id < 100 ? `other's ${id}` : `name of ${id}`))
  t.strictSame(asked, [numbers(50, 100)])
  t.strictSame(sent.map(({ command }) => command), ['read', 'write', 'write'])
  t.strictSame(sent.slice(1).map(({ keys }) => keys), [2 * 50, 2 * 50])
  const { memoryHits, redisHits, misses, loads } = cache.stats()
  t.strictSame([memoryHits - before.memoryHits, redisHits - before.redisHits, misses - before.misses, loads - before.loads], [50, 50, 50, 1])
  sent.length = 0
  await cache.getMany(numbers(150), { key, load })
  t.strictSame(sent, [], 'all of it is in memory now')
})

t.test('ids that the loader leaves out, with nothing to be kept, are not written', async (t) => {
  const { cache, sent } = await counted(t)
  await cache.getMany([1, 2, 3], { key, load: () => new Map([[2, 'b']]) })
  await eventually(() => sent.length === 4)
  t.strictSame(sent.map(({ command }) => command), ['read', 'write', 'write', 'write'])
  // Three leases are taken; one ends with the value, and the other two by themselves.
  t.strictSame(sent.slice(1).map(({ keys }) => keys), [2 * 3, 2, 2])
})

t.test('batches work in full while Redis is away, and share nothing old when it is back', async (t) => {
  const server = await ownRedis(t)
  const app = await buildApp(t, { redis: await connect(t, server.url), commandTimeout: 50 })
  await trustsMemory(app)
  await app.cache.getMany([1, 2], { key, load })
  await server.pause()
  const began = performance.now()
  t.strictSame(await app.cache.getMany(numbers(1_000), { key, load }), load(numbers(1_000)))
  t.ok(performance.now() - began < 1_500, 'in bounded time')
  t.strictSame(await app.cache.getMany(numbers(1_000), { key, load: () => { throw new Error('not kept in memory') } }), load(numbers(1_000)))
  await server.resume()
})
