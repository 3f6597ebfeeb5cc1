import t from 'tap'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'
import { gate } from '../helpers/gate.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { eventually } from '../helpers/eventually.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('a load that began before a delete never comes back after it', async (t) => {
      const { cache } = await store.build(t)
      const old = gate<string>()
      const caller = cache.getOrSet('a', old.pass)
      await old.arrived()
      await cache.delete('a')
      old.open('old')
      t.equal(await caller, 'old', 'who asked before gets what was loaded for it')
      t.equal(await cache.has('a'), false)
      t.equal(await cache.getOrSet('a', () => 'new'), 'new')
    })

    t.test('a load that began before a set never overwrites it', async (t) => {
      const { cache } = await store.build(t)
      const old = gate<string>()
      const caller = cache.getOrSet('a', old.pass)
      await old.arrived()
      await cache.set('a', 'new')
      old.open('old')
      await caller
      t.equal(await cache.get('a'), 'new')
      t.equal(await cache.getOrSet('a', () => 'loaded'), 'new')
    })

    t.test('a load that ends while a delete is on its way does not outlive it', async (t) => {
      const { cache } = await store.build(t)
      const old = gate<string>()
      const caller = cache.getOrSet('a', old.pass)
      await old.arrived()
      const deleted = cache.delete('a')
      old.open('old')
      await Promise.all([caller, deleted])
      t.equal(await cache.has('a'), false)
    })

    t.test('who asks after a delete does not share a load that began before it', async (t) => {
      const { cache } = await store.build(t)
      const old = gate<string>()
      const before = cache.getOrSet('a', old.pass)
      await old.arrived()
      await cache.delete('a')
      const young = gate<string>()
      const after = cache.getOrSet('a', young.pass)
      await young.arrived()
      old.open('old')
      await before
      const third = cache.getOrSet('a', () => 'a load of its own')
      young.open('new')
      t.equal(await after, 'new')
      t.equal(await third, 'new', 'the older flight did not remove the younger when it landed')
      t.equal(await cache.get('a'), 'new')
    })

    t.test('a load that fails after a delete takes nothing of the load after it with it', async (t) => {
      const { cache } = await store.build(t)
      const old = gate<string>()
      const before = cache.getOrSet('a', old.pass)
      await old.arrived()
      await cache.delete('a')
      await cache.getOrSet('a', () => 'new')
      old.fail(new Error('too late'))
      await t.rejects(before, { message: 'too late' })
      t.equal(await cache.get('a'), 'new')
    })

    if (!store.redis) return

    t.test('a load here never overwrites what another process did meanwhile', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const [a, b] = [await store.build(t, { prefix }), await store.build(t, { prefix })]
      for (const [action, expected] of [['delete', undefined], ['set', 'new']] as const) {
        const old = gate<string>()
        const key = `${action} elsewhere`
        const caller = a.cache.getOrSet(key, old.pass)
        await old.arrived()
        if (action === 'delete') await b.cache.delete(key)
        else await b.cache.set(key, 'new')
        old.open('old')
        t.equal(await caller, 'old')
        t.equal(await b.cache.get(key), expected, 'in Redis')
        t.equal(await a.cache.get(key), expected, 'and in the memory of the one that loaded')
      }
    })

    t.test('of two processes that load at once, the later to end does not overwrite the earlier', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const [a, b] = [await store.build(t, { prefix, lease: false }), await store.build(t, { prefix, lease: false })]
      const [inA, inB] = [gate<string>(), gate<string>()]
      const [fromA, fromB] = [a.cache.getOrSet('a', inA.pass), b.cache.getOrSet('a', inB.pass)]
      await Promise.all([inA.arrived(), inB.arrived()])
      inA.open('first')
      await fromA
      inB.open('second')
      await fromB
      t.equal(await a.cache.get('a'), 'first')
      t.equal(await b.cache.get('a'), 'first')
    })
  })
}

t.test('a value read from Redis before an invalidation is not kept in memory after it', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const other = await buildApp(t, { redis: await connect(t, redis.url), prefix })
  const reply = gate<undefined>()
  const asked = gate<undefined>()
  let slow = false
  const app = await buildApp(t, {
    prefix,
    redis: altered(client, {
      async mgetBuffer (...keys) {
        const answer = await client.mgetBuffer(...keys)
        if (slow) {
          asked.open(undefined)
          await reply.pass()
        }
        return answer
      }
    })
  })
  await trustsMemory(app)
  await other.cache.set('a', 'old')
  slow = true
  const reader = app.cache.get('a')
  await asked.pass()
  slow = false
  await app.cache.set('a', 'new')
  reply.open(undefined)
  t.equal(await reader, 'old')
  t.equal(await app.cache.get('a'), 'new')
})

t.test('a load as long as the longest, counted from the read before it, keeps nothing in Redis', async (t) => {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  let slow = 0
  const app = await buildApp(t, {
    prefix,
    memory: false,
    longestLoad: '10s',
    redis: altered(client, {
      async mgetBuffer (...keys) {
        const answer = await client.mgetBuffer(...keys)
        app.clock.milliseconds += slow // the reply was long on its way, and a delete may have come in between
        return answer
      }
    })
  })
  slow = 90
  await app.cache.getOrSet('a', () => { app.clock.milliseconds += 9_990; return 'old' })
  t.equal(await client.exists(`${prefix}:cache:a`), 0)
})

t.test('a longer load than the longest is given out, and not kept in Redis', async (t) => {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const app = await buildApp(t, { prefix, redis: client, longestLoad: '10s' })
  t.equal(await app.cache.getOrSet('a', () => { app.clock.milliseconds += 10_001; return 'late' }), 'late')
  t.equal(await client.exists(`${prefix}:cache:a`), 0)
})

t.test('what was written while the network stalled does not overwrite, when it arrives, what another process wrote since', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const proxy = await startProxy(t, redis.url)
  const direct = await connect(t, redis.url)
  const cut = await buildApp(t, { redis: await connect(t, proxy.url), prefix, commandTimeout: 50 })
  const other = await buildApp(t, { redis: direct, prefix })
  await trustsMemory(other)
  await cut.cache.set('warm-up', 1)
  proxy.swallow()
  t.strictSame(await cut.cache.set('a', 'given up'), { shared: false })
  t.strictSame(await other.cache.set('a', 'new'), { shared: true })
  proxy.letThrough()
  await eventually(async () => (await cut.cache.set('after', 1)).shared)
  t.equal(await other.cache.get('a'), 'new')
  await other.app.close()
  const fresh = await buildApp(t, { redis: direct, prefix })
  t.equal(await fresh.cache.get('a'), 'new', 'in Redis')
})

t.test('a load whose write stalled on the network until the delete after it was forgotten keeps nothing', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const proxy = await startProxy(t, redis.url)
  const direct = await connect(t, redis.url)
  const longestLoad = 200
  const cut = await buildApp(t, { redis: await connect(t, proxy.url), prefix, longestLoad, commandTimeout: 50 })
  const other = await buildApp(t, { redis: direct, prefix, longestLoad, commandTimeout: 50 })
  await cut.cache.getOrSet('warm-up', () => 1)
  const old = gate<string>()
  const caller = cut.cache.getOrSet('a', old.pass)
  await old.arrived()
  proxy.swallow()
  old.open('old')
  t.equal(await caller, 'old')
  await other.cache.delete('a')
  await eventually(async () => await direct.exists(`${prefix}:cache:a`) === 0)
  proxy.letThrough()
  await eventually(async () => (await cut.cache.set('after', 1)).shared)
  t.equal(await other.cache.get('a'), undefined)
})

t.test('a delete made while the client was not connected holds in this process when it is connected again', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const app = await buildApp(t, { redis: client, prefix })
  await trustsMemory(app)
  await app.cache.set('a', 'old')
  client.disconnect()
  await eventually(() => client.status === 'end')
  t.strictSame(await app.cache.delete('a'), { shared: false })
  await client.connect()
  t.equal(await app.cache.get('a'), undefined)
})

t.test('a set does not come to Redis after the delete that followed it, though Redis knows none of our scripts', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, (await ownRedis(t)).url)
  for (let round = 0; round < 20; round++) {
    await client.script('FLUSH')
    const app = await buildApp(t, { redis: client, prefix, memory: false })
    const told = await Promise.all([app.cache.set('c', 1), app.cache.set('user', 'old'), app.cache.delete('user')])
    t.ok(told.every(({ shared }) => shared))
    t.equal(await app.cache.has('user'), false)
  }
})

t.test('a load keeps nothing in Redis once this process has deleted its key, though Redis has forgotten the delete', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const app = await buildApp(t, { redis: client, prefix })
  await trustsMemory(app)
  const old = gate<string>()
  const caller = app.cache.getOrSet('a', old.pass)
  await old.arrived()
  await app.cache.delete('a')
  await client.del(`${prefix}:cache:a`) // evicted
  old.open('old')
  t.equal(await caller, 'old')
  t.equal(await client.exists(`${prefix}:cache:a`), 0)
  t.equal(await app.cache.has('a'), false)
})
