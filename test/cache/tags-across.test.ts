import t, { type Test } from 'tap'
import type { CacheOptions, RedisClient } from '../../plugins/cache/index.js'
import { commandStats } from '../helpers/command-stats.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { altered, buildApp, connect, freshPrefix, heard, trustsMemory, type Built } from './build-app.js'

// An own server: of the commands that it counts, all are to be ours.
const server = await ownRedis(t)

async function twoApps (t: Test, options?: CacheOptions) {
  const prefix = freshPrefix('app')
  const build = async (more?: CacheOptions): Promise<Built> => await buildApp(t, { redis: await connect(t, server.url), prefix, ...more })
  const [a, b] = [await build(), await build(options)]
  const outside = await connect(t, server.url)
  await heard(outside, prefix, 2)
  await trustsMemory(a)
  if (options?.memory !== false) await trustsMemory(b)
  return { a, b, prefix, outside }
}

async function inMemory ({ cache }: Built, key: string): Promise<boolean> {
  const before = cache.stats().memoryHits
  await cache.get(key)
  return cache.stats().memoryHits > before
}

t.test('a tag invalidated by one process is void in the memory of another within 50 ms, and no other tag is', async (t) => {
  const { a, b } = await twoApps(t)
  await a.cache.set('by set', 1, { tags: ['news'] })
  await a.cache.getOrSet('by options', () => 1, { tags: ['news'] })
  await a.cache.getOrSet('by the loader', ({ tags }) => { tags('news'); return 1 })
  await a.cache.set('other', 1, { tags: ['home'] })
  const keys = ['by set', 'by options', 'by the loader', 'other']
  for (const key of keys) {
    t.equal(await b.cache.get(key), 1)
    t.ok(await inMemory(b, key))
  }
  t.strictSame(await a.cache.invalidateTags('news'), { shared: true })
  await t.resolves(eventually(async () => !await b.cache.has('by set'), 50))
  for (const key of keys) t.equal(await b.cache.has(key), key === 'other')
  t.ok(await inMemory(b, 'other'))
})

t.test('a tag invalidated by one process is void in Redis at once, for one that has read it before too', async (t) => {
  const { a, b } = await twoApps(t, { memory: false })
  for (let round = 0; round < 50; round++) {
    await a.cache.set('key', round, { tags: ['news'] })
    t.equal(await b.cache.get('key'), round)
    await a.cache.invalidateTags('news')
    t.equal(await b.cache.get('key'), undefined)
  }
})

t.test('a tag invalidated by one process is void in Redis for one too that has not heard of it yet', async (t) => {
  const prefix = freshPrefix('app')
  const proxy = await startProxy(t, server.url)
  const [direct, slow] = [await connect(t, server.url), await connect(t, proxy.url)]
  const a = await buildApp(t, { prefix, redis: await connect(t, server.url) })
  const b = await buildApp(t, { prefix, redis: altered(direct, { duplicate: () => slow.duplicate() }), memory: false })
  await heard(direct, prefix, 2)
  await a.cache.set('key', 'old', { tags: ['news'] })
  t.equal(await b.cache.get('key'), 'old')
  proxy.swallow('toClient')
  await a.cache.invalidateTags('news')
  t.equal(await b.cache.get('key'), undefined)
  t.equal(await b.cache.getOrSet('key', () => 'new', { tags: ['news'] }), 'new')
})

t.test('what one process clears is void in Redis at once, for one that has read it before too', async (t) => {
  const { a, b } = await twoApps(t, { memory: false })
  const wrong: number[] = []
  for (let round = 0; round < 50; round++) {
    await a.cache.set('key', round)
    await eventually(async () => await b.cache.get('key') === round)
    await a.cache.clear()
    if (await b.cache.get('key') !== undefined) wrong.push(round)
  }
  t.strictSame(wrong, [])
})

t.test('a tag that the reading call does not name is checked too', async (t) => {
  const { a, b } = await twoApps(t)
  for (const invalidated of ['first', 'second']) {
    await a.cache.getOrSet('key', ({ tags }) => { tags('second'); return 'old' }, { tags: ['first'] })
    await a.cache.invalidateTags(invalidated)
    t.equal(await b.cache.get('key'), undefined, 'no tag named')
    t.equal(await b.cache.getOrSet('key', () => 'new', { tags: ['third'] }), 'new', 'another one named')
    await b.cache.delete('key')
  }
})

t.test('a tag invalidated between the two trips of a read is void for it', async (t) => {
  const prefix = freshPrefix('app')
  const client = await connect(t, server.url)
  const [answered, reply] = [gate(), gate()]
  let holds = false
  const held = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer
    if (holds) {
      answered.open()
      await reply.pass()
    }
    return value
  }
  const redis: RedisClient = altered(client, {
    getBuffer: (key) => held(client.getBuffer(key)),
    mgetBuffer: (...keys) => held(client.mgetBuffer(...keys))
  })
  const a = await buildApp(t, { prefix, redis })
  const b = await buildApp(t, { prefix, redis: await connect(t, server.url) })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  await b.cache.set('key', 'old', { tags: ['news'] })
  holds = true
  const reader = a.cache.get('key')
  await answered.pass()
  holds = false
  await b.cache.invalidateTags('news')
  reply.open()
  t.equal(await reader, undefined)
  t.equal(await a.cache.get('key'), undefined)
})

t.test('invalidating a tag costs Redis and the network the same for ten entries as for ten thousand', async (t) => {
  const proxy = await startProxy(t, server.url)
  const client = await connect(t, proxy.url)
  const direct = await connect(t, server.url)
  const prefix = freshPrefix('app')
  // What is said and heard now and then goes another way, and so is not counted.
  const { cache } = await buildApp(t, {
    prefix,
    redis: altered(client, {
      duplicate: () => direct.duplicate(),
      publish: (channel, message) => direct.publish(channel, message),
      info: (section) => direct.info(section)
    })
  })
  await heard(direct, prefix, 1)
  const costs: unknown[] = []
  for (const entries of [10, 10_000]) {
    const ids = Array.from({ length: entries }, (_, id) => id)
    const load = async (): Promise<number> => {
      let loaded = 0
      await cache.getMany(ids, { key: String, load: (ids) => { loaded += ids.length; return ids }, tags: ['news'] })
      return loaded
    }
    t.equal(await load(), entries)
    t.equal(await load(), 0, 'all are kept')
    await cache.set('other', entries, { tags: ['home'] })
    await direct.config('RESETSTAT')
    const before = { toServer: proxy.passed('toServer'), toClient: proxy.passed('toClient') }
    t.strictSame(await cache.invalidateTags('news'), { shared: true })
    costs.push({ sent: proxy.passed('toServer') - before.toServer, received: proxy.passed('toClient') - before.toClient, commands: await commandStats(direct) })
    t.equal(await cache.get('other'), entries)
    t.equal(await load(), entries, 'all were void')
    await cache.clear()
  }
  t.strictSame(costs[1], costs[0])
  t.match(costs[0], { commands: { eval: 1 } })
})

t.test('what was loaded before a tag was invalidated never stands under the generation from after, wherever that comes from', async (t) => {
  const prefix = freshPrefix('app')
  const proxy = await startProxy(t, server.url)
  const [direct, deaf] = [await connect(t, server.url), await connect(t, proxy.url)]
  const establishing = gate()
  let holds = false
  const a = await buildApp(t, {
    prefix,
    memory: false,
    redis: altered(direct, {
      duplicate: () => deaf.duplicate(),
      eval: async (script, keys, ...rest) => { if (holds) await establishing.pass(); return await direct.eval(script, keys, ...rest) }
    })
  })
  const b = await buildApp(t, { prefix, redis: await connect(t, server.url), memory: false })
  await heard(direct, prefix, 2)
  // Both tags are known, and one of them will not last for as long as the load says that its value does.
  await a.cache.getOrSet('earlier', () => 1, { ttl: '1m', tags: ['news', 'brief'] })
  for (const { clock } of [a, b]) clock.milliseconds += 23.9 * 3_600_000
  await a.cache.getOrSet('earlier still', () => 1, { ttl: '1h', tags: ['news'] })
  const loads = gate<string>()
  const loaded = a.cache.getOrSet('key', async ({ tags, ttl }) => {
    tags('news')
    ttl('1h')
    return await loads.pass()
  }, { ttl: '1m', tags: ['brief'] })
  await loads.arrived()
  proxy.swallow('toClient')
  await b.cache.invalidateTags('news')
  await b.cache.set('other', 'new', { ttl: '1h', tags: ['news'] })
  holds = true
  loads.open('old')
  await establishing.arrived()
  t.equal(await a.cache.get('other'), 'new', 'and so the new generation is known')
  establishing.open()
  t.equal(await loaded, 'old', 'for who asked before')
  t.strictSame([await a.cache.get('key'), await b.cache.get('key')], [undefined, undefined])
})

t.test('tags that are forgotten while the generations of others are asked for have those that Redis has', async (t) => {
  const prefix = freshPrefix('app')
  const client = await connect(t, server.url)
  const outside = await connect(t, server.url)
  const asking = gate()
  asking.open()
  const app = await buildApp(t, {
    prefix,
    redis: altered(client, {
      eval: async (script, ...args) => {
        if (script.includes('PEXPIRE') && script.includes('generations')) await asking.pass()
        return await client.eval(script, ...args)
      }
    })
  })
  await trustsMemory(app)
  await app.cache.set('a', 1, { tags: ['known'] })
  asking.shut()
  const { arrivals } = asking
  const setting = app.cache.set('b', 2, { tags: ['known', 'unknown'] })
  await asking.arrived(arrivals + 1)
  await outside.publish(`${prefix}:cache`, 'what nobody knows: some may have been missed')
  await eventually(() => app.cache.stats().entries === 0)
  asking.open()
  t.strictSame(await setting, { shared: true })
  const other = await buildApp(t, { prefix, redis: await connect(t, server.url), memory: false })
  t.equal(await other.cache.get('b'), 2)
})
