import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import type { CacheOptions } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory, type Built } from './build-app.js'

// An own server: these tests kill connections.
const server = await ownRedis(t)

async function twoApps (t: Parameters<typeof buildApp>[0], options: CacheOptions = {}) {
  const prefix = freshPrefix('app')
  const [a, b] = [await buildApp(t, { redis: await connect(t, server.url), prefix, ...options }), await buildApp(t, { redis: await connect(t, server.url), prefix, ...options })]
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  return { a, b, prefix, outside: await connect(t, server.url) }
}

/** Resolves when `b` has heard all that `a` has said. */
async function heardAll (a: Built, b: Built): Promise<void> {
  await b.cache.set('marker', 0)
  await a.cache.set('marker', 1)
  await eventually(async () => await b.cache.get('marker') === 1)
}

async function inMemory ({ cache }: Built, key: string): Promise<boolean> {
  const before = cache.stats().memoryHits
  await cache.get(key)
  return cache.stats().memoryHits > before
}

t.test('what one process deletes or sets, another shows within 50 ms', async (t) => {
  const { a, b } = await twoApps(t)
  await a.cache.set('a', 1)
  await heardAll(a, b)
  t.equal(await b.cache.get('a'), 1)
  t.ok(await inMemory(b, 'a'))
  await a.cache.delete('a')
  await t.resolves(eventually(async () => !await b.cache.has('a'), 50))
  await b.cache.set('a', 2)
  await t.resolves(eventually(async () => await a.cache.get('a') === 2, 50))
  await a.cache.set('a', 3)
  await t.resolves(eventually(async () => await b.cache.get('a') === 3, 50))
})

t.test('keys with any character are told apart by other processes', async (t) => {
  const { a, b } = await twoApps(t)
  for (const key of ['"', '\\', '\n', '\u2028', '\ud800', '{x}', 'x'.repeat(500)]) {
    await a.cache.set(key, 1)
    await b.cache.get(key)
    await a.cache.delete(key)
    await t.resolves(eventually(async () => !await b.cache.has(key), 500))
  }
})

t.test('a value of one\'s own stays in memory: one does not hear oneself', async (t) => {
  const { a, b } = await twoApps(t)
  await a.cache.set('a', 1)
  await b.cache.set('other', 1)
  await eventually(async () => await a.cache.get('other') === 1)
  t.ok(await inMemory(a, 'a'))
})

t.test('while its subscription is broken, a process does not trust its memory, and afterwards has forgotten it', async (t) => {
  const { a, b, outside } = await twoApps(t)
  await a.cache.set('a', 1)
  t.equal(await b.cache.get('a'), 1)
  for (let round = 2; round < 8; round++) {
    await outside.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await a.cache.set('a', round)
    await t.resolves(eventually(async () => await b.cache.get('a') === round, 50), 'from Redis')
  }
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  await a.cache.set('a', 'after')
  await t.resolves(eventually(async () => await b.cache.get('a') === 'after', 50))
  await t.resolves(eventually(() => inMemory(b, 'a')), 'memory is used again')
})

t.test('what comes over the channel and is no message that is known may say something: memory is forgotten, and nothing else', async (t) => {
  const { a, b, prefix, outside } = await twoApps(t)
  await a.cache.set('a', 1)
  await heardAll(a, b)
  await b.cache.get('a')
  const junk = ['', 'x', '{', 'null', '5', '{}', '[]', '["x"]', '[1,2]', '["x",5]', '[null,null]', '{"0":"x","1":"a"}', '["x","a"]', '["x","key"]', '["x","tags"]', '["x","other","a"]', '["x","key",5]', '\ud800', '['.repeat(100_000)]
  for (const message of junk) await outside.publish(`${prefix}:cache`, message)
  await heardAll(a, b)
  t.notOk(await inMemory(b, 'a'))
  await outside.publish(`${prefix}:cache`, '["somebody","key","a"]')
})

t.test('who asks after hearing of a delete does not share a load that began before it', async (t) => {
  const { a, b } = await twoApps(t)
  const old = gate<string>()
  const before = b.cache.getOrSet('a', old.pass)
  await old.arrived()
  await a.cache.delete('a')
  await heardAll(a, b)
  const after = await b.cache.getOrSet('a', () => 'new')
  old.open('old')
  t.equal(await before, 'old')
  t.equal(after, 'new')
  t.equal(await b.cache.get('a'), 'new')
})

t.test('a subscription that died without a sign is noticed: what others delete is not given out for longer than a second', async (t) => {
  const prefix = freshPrefix('app')
  const proxy = await startProxy(t, server.url)
  const direct = await connect(t, server.url)
  const deaf = await connect(t, proxy.url)
  const a = await buildApp(t, { prefix, redis: await connect(t, server.url) })
  // Commands pass; the subscription goes through the network that will lose its way.
  const b = await buildApp(t, { prefix, redis: altered(direct, { duplicate: () => deaf.duplicate() }) })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  await a.cache.set('a', 'old')
  await heardAll(a, b)
  t.equal(await b.cache.get('a'), 'old')
  t.ok(await inMemory(b, 'a'))
  proxy.swallow()
  await a.cache.delete('a')
  await t.resolves(eventually(async () => !await b.cache.has('a'), 1_000))
})

t.test('after the event loop was blocked memory is not trusted, be it in the same turn: others may have deleted what is in it', async (t) => {
  const { a, prefix, outside } = await twoApps(t, { now: Date.now })
  await a.cache.set('a', 'old')
  await trustsMemory(a)
  // As another process deletes it, and without the message, which could not be heard so soon.
  await outside.del(`${prefix}:cache:a`)
  t.equal(await a.cache.getOrSet('a', () => 'new'), 'old')
  const over = performance.now() + 1_000
  while (performance.now() < over) { /* blocked */ }
  t.equal(await a.cache.getOrSet('a', () => 'new'), 'new')
})

t.test('a lazy client\'s subscription connects by itself', async (t) => {
  const client = new Redis(server.url, { lazyConnect: true })
  t.teardown(() => client.disconnect())
  const app = await buildApp(t, { redis: client, prefix: freshPrefix('app') })
  await client.connect()
  await t.resolves(trustsMemory(app))
})

t.test('a stale value is given to nobody once messages may have been missed: another process may have deleted it', async (t) => {
  const { a, b, outside } = await twoApps(t)
  await a.cache.set('a', 'deleted', { ttl: '1s', staleOnError: '1h' })
  a.clock.milliseconds += 2_000
  const loads = gate<string>()
  const asked = a.cache.getOrSet('a', loads.pass, { staleOnError: '1h' })
  await loads.arrived()
  await outside.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  t.strictSame(await b.cache.delete('a'), { shared: true })
  await trustsMemory(a)
  loads.fail(new Error('source away'))
  await t.rejects(asked, { message: 'source away' })
})

t.test('a subscription that Redis refuses is said once, and memory is not trusted while Redis answers', async (t) => {
  const outside = await connect(t, server.url)
  await outside.call('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', '+@all', 'resetchannels')
  const app = await buildApp(t, { redis: await connect(t, server.url.replace('//', '//deaf:secret@')), prefix: freshPrefix('app') })
  await eventually(() => app.log().some((line) => line.includes('cannot subscribe')))
  let loads = 0
  const load = (): number => ++loads
  t.equal(await app.cache.getOrSet('a', load), 1)
  t.notOk(await inMemory(app, 'a'))
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  t.equal(app.log().filter((line) => line.includes('cannot subscribe')).length, 1)
})

t.test('a subscription that falls silent in its handshake is made anew', async (t) => {
  const proxy = await startProxy(t, server.url)
  const direct = await connect(t, server.url)
  const through = await connect(t, proxy.url)
  proxy.swallow()
  let duplicates = 0
  const app = await buildApp(t, {
    prefix: freshPrefix('app'),
    redis: altered(direct, { duplicate: (...options) => (++duplicates === 1 ? through : direct).duplicate(...options as []) })
  })
  await eventually(() => duplicates === 2)
  await t.resolves(trustsMemory(app))
})

t.test('what is heard late, however evenly, is not trusted: a deleted value is given out for a second at most', async (t) => {
  const prefix = freshPrefix('app')
  const proxy = await startProxy(t, server.url)
  const direct = await connect(t, server.url)
  const slow = await connect(t, proxy.url)
  const a = await buildApp(t, { prefix, redis: await connect(t, server.url) })
  const b = await buildApp(t, { prefix, redis: altered(direct, { duplicate: (...options) => slow.duplicate(...options as []) }) })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  proxy.delay(1_600, 'toClient')
  await new Promise((resolve) => { setTimeout(resolve, 3_000) })
  await a.cache.set('a', 'old')
  await b.cache.get('a')
  await a.cache.delete('a')
  await t.resolves(eventually(async () => !await b.cache.has('a'), 1_000))
  proxy.delay(0)
  await t.resolves(eventually(async () => { await b.cache.set('b', 1); return await inMemory(b, 'b') }), 'and is trusted again when it is not late')
})

t.test('what was said unheard before a process took leave is noticed with that', async (t) => {
  const { b, prefix, outside } = await twoApps(t)
  await outside.publish(`${prefix}:cache`, '["x",0,0,[],"beat","0"]')
  await b.cache.set('a', 1)
  t.ok(await inMemory(b, 'a'))
  await outside.publish(`${prefix}:cache`, '["x",0,1,[],"leave"]')
  await t.resolves(eventually(() => b.cache.stats().entries === 0))
})

t.test('where the deletes of others are not heard, a load is joined in its first half second, and no later', async (t) => {
  const client = await connect(t, server.url)
  const silent = Object.assign(new EventEmitter(), { status: 'ready', connect: async () => {}, subscribe: async () => {}, disconnect () {} })
  const { cache } = await buildApp(t, { redis: altered(client, { duplicate: () => silent }), prefix: freshPrefix('silent'), lease: false })
  const loads = gate<string>()
  const first = cache.getOrSet('a', loads.pass)
  await loads.arrived()
  await delay(250)
  const early = cache.getOrSet('a', loads.pass)
  await delay(400)
  t.equal(loads.arrivals, 1)
  const late = cache.getOrSet('a', loads.pass)
  await loads.arrived(2)
  loads.open('loaded')
  t.strictSame(await Promise.all([first, early, late]), ['loaded', 'loaded', 'loaded'])
})
