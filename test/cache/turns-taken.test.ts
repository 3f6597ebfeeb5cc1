import t from 'tap'
import { gate } from '../helpers/gate.js'
import { eventually } from '../helpers/eventually.js'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { altered, buildApp, buildTwo, connect, freshPrefix, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

t.test('the same tags in another order are the same', async (t) => {
  const { a, b } = await buildTwo(t, redis)
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass, { tags: ['x', 'y'] })
  await held.arrived()
  let loads = 0
  const there = b.cache.getOrSet('a', () => { loads++; return 'by b' }, { tags: ['y', 'x'] })
  await eventually(() => b.cache.stats().loadsElsewhere === 1 || loads === 1)
  t.equal(loads, 0)
  held.open('by a')
  await Promise.all([here, there])
})

t.test('processes that name other tags for a key do not take it away from each other', async (t) => {
  const { a, b } = await buildTwo(t, redis)
  let loads = 0
  let current: { promise: Promise<unknown>, held: ReturnType<typeof gate<string>> } | undefined
  for (let round = 0; round < 10; round++) {
    // Whoever asks next does so while the other loads; as under steady traffic.
    const [app, tags] = round % 2 === 0 ? [a, ['x']] : [b, ['x', 'y']]
    const held = gate<string>()
    const promise = app.cache.getOrSet('a', async () => { loads++; return await held.pass() }, { tags, ttl: '1h' })
    await Promise.race([held.arrived(), eventually(() => app.cache.stats().loadsElsewhere > 0, 1_000).catch(() => {}), promise])
    current?.held.open(`round ${round - 1}`)
    await current?.promise
    current = { promise, held }
  }
  current!.held.open('last')
  await current!.promise
  t.ok(loads <= 2)
})

t.test('an invalidation of a tag that no waiter has wakes nobody', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const a = await buildApp(t, { redis: await connect(t, redis.url), prefix, lease: '1m' })
  const client = await connect(t, redis.url)
  let evals = 0
  const counting = altered(client, { eval: async (...args) => { if (String(args[0]).includes("'awaited', 1")) evals++; return await client.eval(...args) } })
  const b = await buildApp(t, { redis: counting, prefix, lease: '1m' })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass, { tags: ['mine'] })
  await held.arrived()
  evals = 0
  const there = b.cache.getOrSet('a', () => 'by b', { tags: ['mine'] })
  await eventually(() => evals === 1)
  for (let n = 0; n < 20; n++) {
    await a.cache.invalidateTags('unrelated')
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  t.equal(evals, 1)
  held.open('by a')
  await Promise.all([here, there])
})

t.test('a lease that Redis gave, but too late for us to know, holds up nobody', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  let slow = false
  const late = altered(client, {
    eval: async (...args) => {
      const answer = await client.eval(...args)
      if (slow && String(args[0]).includes("'awaited', 1")) await new Promise((resolve) => { setTimeout(resolve, 500) })
      return answer
    }
  })
  const a = await buildApp(t, { redis: late, prefix, commandTimeout: 200 })
  const b = await buildApp(t, { redis: await connect(t, redis.url), prefix })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  slow = true
  t.equal(await a.cache.getOrSet('a', () => 'by a'), 'by a')
  slow = false
  const at = performance.now()
  await b.cache.getOrSet('a', () => 'by b')
  t.ok(performance.now() - at < 1_000, `b waited for ${performance.now() - at} ms though nobody loads`)
})

t.test('a lease that Redis gave before it refused the rest of a batch holds up nobody', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const refusing = altered(client, {
    eval: async (...args) => {
      const answer = await client.eval(...args)
      if (String(args[0]).includes("'awaited', 1")) throw Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' })
      return answer
    }
  })
  const a = await buildApp(t, { redis: refusing, prefix, lease: '1m' })
  const b = await buildApp(t, { redis: await connect(t, redis.url), prefix, lease: '1m' })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  t.equal(await a.cache.getOrSet('a', () => 'by a'), 'by a')
  t.equal(await b.cache.getOrSet('a', () => 'by b', { hardTimeout: '5s' }), 'by b')
})

t.test('a request for a lease that ioredis sends again, since the connection broke before its answer, is answered as once', async (t) => {
  const server = await ownRedis(t)
  const proxy = await startProxy(t, server.url)
  const outside = await connect(t, server.url)
  const client = await connect(t, proxy.url)
  const a = await buildApp(t, { redis: client, prefix: 'app' })
  await trustsMemory(a)
  await a.cache.getOrSet('warm-up', () => 1)
  const before = await outside.exists('app:cache-lease:{app:cache:a}')
  t.equal(before, 0)
  const twice = altered(client, {
    eval: async (...args) => {
      if (!String(args[0]).includes("'awaited', 1")) return await client.eval(...args)
      proxy.swallow('toClient')
      const answer = client.eval(...args)
      await eventually(async () => await outside.exists('app:cache-lease:{app:cache:a}') === 1)
      proxy.cutAll()
      proxy.letThrough('toClient')
      return await answer
    }
  })
  const b = await buildApp(t, { redis: twice, prefix: 'app' })
  await trustsMemory(b)
  const at = performance.now()
  let took: number | undefined
  await b.cache.getOrSet('a', () => { took = performance.now() - at; return 'by b' }, { hardTimeout: '8s' })
  t.ok(took !== undefined && took < 1_500, `b's load began after ${took} ms: it waited for itself`)
})

t.test('a lease of a fraction of a millisecond holds up nobody', async (t) => {
  const { a, b } = await buildTwo(t, redis, { lease: 1000.5 })
  t.equal(await a.cache.getOrSet('a', () => 'by a', { ttl: '1m' }), 'by a')
  await t.resolves(b.cache.getOrSet('a', () => 'by b', { hardTimeout: '4s' }))
})
