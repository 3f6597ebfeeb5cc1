import t from 'tap'
import { commandStats } from '../helpers/command-stats.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { altered, buildApp, connect, freshPrefix, heard, trustsMemory, type Built } from './build-app.js'
import { stores } from './stores.js'

// An own server: of what it did, all is to be ours.
const server = await ownRedis(t)

for (const store of stores({ url: server.url, prefix: 'clear' }).filter(({ name }) => !name.includes('ioredis 5'))) {
  t.test(store.name, async (t) => {
    t.test('clearing voids whatever is kept, with tags and without', async (t) => {
      const { cache } = await store.build(t)
      await cache.set('set', 1)
      await cache.set('tagged', 1, { tags: ['news'] })
      await cache.getOrSet('loaded', () => 1)
      await cache.getMany([1, 2], { key: String, load: (ids) => ids })
      t.strictSame(await cache.clear(), { shared: store.redis })
      for (const key of ['set', 'tagged', 'loaded', '1', '2']) t.equal(await cache.has(key), false, key)
      if (store.memory) t.match(cache.stats(), { entries: 0, bytes: 0 })
    })

    t.test('what is set or loaded after a clear is kept, as often as one clears', async (t) => {
      const { cache } = await store.build(t)
      for (let round = 0; round < 20; round++) {
        await cache.clear()
        await cache.set('set', round, { tags: ['news'] })
        await cache.getOrSet('loaded', () => round)
        t.strictSame([await cache.get('set'), await cache.get('loaded')], [round, round])
      }
    })

    t.test('a load that began before a clear comes back neither here nor for who asks after it', async (t) => {
      const { cache } = await store.build(t)
      const old = gate<string>()
      const before = cache.getOrSet('key', old.pass)
      await old.arrived()
      await cache.clear()
      const young = gate<string>()
      const after = cache.getOrSet('key', young.pass)
      await young.arrived()
      old.open('old')
      t.equal(await before, 'old', 'who asked before gets what was loaded for it')
      young.open('new')
      t.equal(await after, 'new')
      t.equal(await cache.getOrSet('key', () => 'again'), 'new')
    })

    t.test('a stale value from before a clear is given out to nobody', async (t) => {
      const { cache, clock } = await store.build(t)
      const options = { ttl: '1m', stale: '1h', staleOnError: '1h' } as const
      await cache.getOrSet('key', () => 'old', options)
      clock.milliseconds += 61_000
      await cache.clear()
      await t.rejects(cache.getOrSet('key', () => { throw new Error('source down') }, options), { message: 'source down' })
    })
  })
}

async function appOf (t: Parameters<typeof buildApp>[0], prefix: string): Promise<Built> {
  const built = await buildApp(t, { redis: await connect(t, server.url), prefix })
  await trustsMemory(built)
  return built
}

t.test('a clear voids what the other processes of the app have, within 50 ms in their memory and at once in Redis', async (t) => {
  const prefix = freshPrefix('app')
  const [a, b] = [await appOf(t, prefix), await appOf(t, prefix)]
  await a.cache.set('key', 1, { tags: ['news'] })
  t.equal(await b.cache.get('key'), 1)
  const old = gate<string>()
  const loading = b.cache.getOrSet('loading', old.pass)
  await old.arrived()
  const inRedis = await buildApp(t, { redis: await connect(t, server.url), prefix, memory: false })
  t.strictSame(await a.cache.clear(), { shared: true })
  await t.resolves(eventually(async () => !await b.cache.has('key'), 50))
  t.equal(await inRedis.cache.has('key'), false)
  old.open('old')
  t.equal(await loading, 'old')
  for (const { cache } of [a, b, inRedis]) t.equal(await cache.has('loading'), false)
})

t.test('what was cleared is void in Redis at once, for a process too that has not heard of it yet', async (t) => {
  const prefix = freshPrefix('app')
  const proxy = await startProxy(t, server.url)
  const [direct, slow] = [await connect(t, server.url), await connect(t, proxy.url)]
  const a = await appOf(t, prefix)
  const b = await buildApp(t, { prefix, redis: altered(direct, { duplicate: () => slow.duplicate() }), memory: false })
  await heard(direct, prefix, 2)
  await a.cache.set('key', 'old')
  t.equal(await b.cache.getOrSet('another', () => 1), 1)
  t.equal(await b.cache.get('key'), 'old')
  proxy.swallow('toClient')
  await a.cache.clear()
  t.equal(await b.cache.get('key'), undefined)
})

t.test('a process that has only just begun, and hears nobody yet, gives out nothing that was cleared before', async (t) => {
  const prefix = freshPrefix('app')
  const proxy = await startProxy(t, server.url)
  const [direct, slow] = [await connect(t, server.url), await connect(t, proxy.url)]
  const a = await appOf(t, prefix)
  await a.cache.set('key', 'old', { tags: ['news'] })
  await a.cache.invalidateTags('news')
  await a.cache.clear()
  proxy.swallow()
  const b = await buildApp(t, { prefix, redis: altered(direct, { duplicate: () => slow.duplicate() }) })
  t.equal(await b.cache.get('key'), undefined)
  t.equal(await b.cache.getOrSet('key', () => 'new'), 'new')
})

t.test('a clear touches nothing of another prefix, nor anybody else\'s key', async (t) => {
  const prefix = freshPrefix('app')
  const outside = await connect(t, server.url)
  const [mine, longer, other] = [await appOf(t, prefix), await appOf(t, `${prefix}0`), await appOf(t, freshPrefix('other'))]
  const foreign = ['foreign', prefix, `${prefix}:`, `${prefix}:limit:x`, `${prefix}:cachet`, `x${prefix}:cache:key`]
  for (const key of foreign) await outside.set(key, 'untouched')
  for (const { cache } of [mine, longer, other]) await cache.set('key', 1, { tags: ['news'] })
  await mine.cache.clear()
  t.equal(await mine.cache.has('key'), false)
  for (const { cache } of [longer, other]) t.equal(await cache.get('key'), 1)
  t.strictSame(await outside.mget(foreign), foreign.map(() => 'untouched'))
})

t.test('a clear asks Redis the same of ten entries as of ten thousand, and never to look through its keys', async (t) => {
  const outside = await connect(t, server.url)
  const { cache } = await appOf(t, freshPrefix('app'))
  const sent: Array<Record<string, number>> = []
  for (const entries of [10, 10_000]) {
    const ids = Array.from({ length: entries }, (_, id) => id)
    await cache.getMany(ids, { key: String, load: (ids) => ids, tags: ['news'] })
    await outside.config('RESETSTAT')
    await cache.clear()
    sent.push(await commandStats(outside))
    let loaded = 0
    await cache.getMany(ids, { key: String, load: (ids) => { loaded += ids.length; return ids } })
    t.equal(loaded, entries, 'all were void')
    await cache.clear()
  }
  t.strictSame(sent[1], sent[0])
  t.strictSame(Object.keys(sent[0]!).sort(), ['del', 'eval', 'time'])
})

t.test('a clear made while the client was not connected holds here meanwhile, and for everybody when it is connected again', async (t) => {
  const prefix = freshPrefix('app')
  const client = await connect(t, server.url)
  const app = await buildApp(t, { redis: client, prefix })
  const inRedis = await buildApp(t, { redis: await connect(t, server.url), prefix, memory: false })
  await trustsMemory(app)
  await app.cache.set('key', 'old')
  client.disconnect()
  await eventually(() => client.status === 'end')
  t.strictSame(await app.cache.clear(), { shared: false })
  t.equal(await app.cache.has('key'), false)
  await client.connect()
  await eventually(() => client.status === 'ready')
  t.equal(await app.cache.has('key'), false)
  await t.resolves(eventually(async () => !await inRedis.cache.has('key')))
  t.equal(await app.cache.has('key'), false)
})
