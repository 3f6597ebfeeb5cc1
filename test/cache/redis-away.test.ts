import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import t from 'tap'
import { freePort } from '../../services/free-port.js'
import { open as openEnvelope } from '../../plugins/shared/envelope.js'
import { startRedisServer } from '../../services/redis-server.js'
import { eventually } from '../helpers/eventually.js'
import { ownRedis } from '../helpers/redis.js'
import { buildApp, connect, connect5, trustsMemory } from './build-app.js'

const commandTimeout = 100
/** A machine that runs other tests too may be this late. */
const slack = 400

async function took (work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** What is in Redis under a key: a value, the tombstone that tells of a delete, or nothing. */
async function standsAt (client: { getBuffer (key: string): Promise<Buffer | null> }, key: string): Promise<string> {
  const envelope = await client.getBuffer(`headroom:cache:${key}`)
  return envelope === null ? 'nothing' : openEnvelope(envelope, Date.now()).kind
}

for (const { version, open } of [
  { version: 'ioredis 6', open: (port: number) => new Redis(port, { retryStrategy: () => 50 }) },
  { version: 'ioredis 5', open: (port: number) => new Redis5(port, { retryStrategy: () => 50 }) }
]) {
  t.test(`${version}: an app boots without waiting for a Redis that is down, and uses it when it appears`, async (t) => {
    const port = await freePort()
    const client = open(port)
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    const began = performance.now()
    const app = await buildApp(t, { redis: client })
    t.ok(performance.now() - began < 2_000)
    t.equal(await app.cache.getOrSet('a', () => 'loaded'), 'loaded')
    t.equal(await app.cache.getOrSet('a', () => 'again'), 'loaded', 'memory serves meanwhile')
    t.strictSame(await app.cache.set('b', 1), { shared: false })
    t.strictSame(await app.cache.delete('a'), { shared: false })
    t.equal(await app.cache.has('a'), false)
    t.match(app.cache.stats(), { redisErrors: 0 })
    t.equal(app.log().length, 1, 'however often it was not there')
    t.match(app.log()[0], 'cache: Redis is away; going on without it')
    app.app.log.level = 'info'

    const server = await startRedisServer({ port })
    t.teardown(() => server.stop())
    await eventually(async () => (await app.cache.set('c', 1)).shared)
    await trustsMemory(app)
    t.equal(await client.exists('headroom:cache:c'), 1)
    await eventually(() => app.log().length === 2)
    t.match(app.log()[1], 'cache: Redis is back')
    t.not(await standsAt(client, 'b'), 'value', 'what was said while nobody listened was not kept for later')

    await server.kill()
    await eventually(async () => !(await app.cache.set('d', 1)).shared && app.log().some((line, place) => place > 1 && line.includes('is away')))
    t.equal(app.log().filter((line) => line.includes('Redis is')).length, 3, 'the next outage is said, too, however soon')
  })
}

for (const { version, open } of [{ version: 'ioredis 6', open: connect }, { version: 'ioredis 5', open: connect5 }]) {
  t.test(`${version}: a Redis that hangs costs one command's time, and no error`, async (t) => {
    const server = await ownRedis(t)
    const app = await buildApp(t, { redis: await open(t, server.url), commandTimeout })
    await trustsMemory(app)
    await app.cache.set('kept', 'in memory')
    await server.pause()
    t.teardown(() => server.resume())

    t.ok(await took(async () => { t.equal(await app.cache.getOrSet('a', () => 'loaded'), 'loaded') }) < commandTimeout + slack)
    t.ok(await took(async () => { t.equal(await app.cache.getOrSet('a', () => 'again'), 'loaded') }) < commandTimeout, 'then memory answers')
    t.equal(await app.cache.get('kept'), 'in memory')
    t.ok(await took(async () => { t.equal(await app.cache.get('nothing'), undefined) }) < commandTimeout + slack)
    t.ok(await took(async () => { t.strictSame(await app.cache.delete('kept'), { shared: false }) }) < commandTimeout + slack)
    t.equal(await took(() => app.cache.set('kept', 'newer')) < commandTimeout + slack, true)
    t.equal(await app.cache.get('kept'), 'newer')
    await t.rejects(app.cache.getOrSet('bad', () => { throw new Error('the loader\'s own') }), { message: 'the loader\'s own' })
    t.ok(app.cache.stats().redisErrors >= 3)
    t.match(app.log().map((line) => (JSON.parse(line) as { msg: string }).msg), [/failed a command/, /is away/], 'and no more for the outage')
    t.equal(app.log().length, 2)
    t.notMatch(app.log().join(), 'newer')

    t.ok(await took(() => app.app.close()) < 2_000, 'closing does not wait for Redis')
    await server.resume()
  })

  t.test(`${version}: an app closes with Redis down`, async (t) => {
    const server = await ownRedis(t)
    const app = await buildApp(t, { redis: await open(t, server.url) })
    await trustsMemory(app)
    await server.kill()
    t.ok(await took(() => app.app.close()) < 2_000)
  })

  t.test(`${version}: what was said while Redis was down is not written when it is back`, async (t) => {
    const server = await ownRedis(t)
    const client = await open(t, server.url)
    const app = await buildApp(t, { redis: client })
    await trustsMemory(app)
    await server.kill()
    await eventually(() => client.status !== 'ready')
    t.strictSame(await app.cache.set('a', 'late'), { shared: false })
    t.strictSame(await app.cache.delete('b'), { shared: false })
    await app.cache.getOrSet('c', () => 'late')
    await server.restart()
    await eventually(async () => (await app.cache.set('sign of life', 1)).shared)
    for (const key of 'abc') t.not(await standsAt(client, key), 'value')
    t.equal(await app.cache.getOrSet('c', () => 'new'), 'new')
  })

  t.test(`${version}: what was on its way to a Redis that hung and died is not written when it is back`, async (t) => {
    const server = await ownRedis(t)
    const client = await open(t, server.url)
    const app = await buildApp(t, { redis: client, commandTimeout })
    await eventually(async () => (await app.cache.set('warm-up', 1)).shared)
    await server.pause()
    t.strictSame(await app.cache.set('a', 'late'), { shared: false })
    await server.kill()
    await eventually(() => client.status !== 'ready')
    await server.restart()
    await eventually(async () => (await app.cache.set('sign of life', 1)).shared)
    t.not(await standsAt(client, 'a'), 'value')
  })

  t.test(`${version}: a Redis that lost its scripts is given them again`, async (t) => {
    const server = await ownRedis(t)
    const client = await open(t, server.url)
    const app = await buildApp(t, { redis: client })
    await app.cache.set('a', 1)
    await client.script('FLUSH')
    t.strictSame(await app.cache.set('a', 2), { shared: true })
    await client.script('FLUSH')
    await app.cache.getOrSet('b', () => 3)
    t.equal(await client.exists('headroom:cache:b'), 1)
    t.equal(app.cache.stats().redisErrors, 0)
  })
}

t.test('a Redis that refuses writes costs no caller anything', async (t) => {
  const server = await ownRedis(t, { args: ['--maxmemory', '1'] })
  const app = await buildApp(t, { redis: await connect(t, server.url) })
  t.equal(await app.cache.getOrSet('a', () => 1), 1)
  t.strictSame(await app.cache.set('a', 2), { shared: true }, 'it has lost the old value')
  t.strictSame(await app.cache.delete('a'), { shared: true }, 'and still loses what is deleted')
  t.ok(app.cache.stats().redisErrors > 0)
})

t.test('what Redis could not be told for a moment is told when it answers again, with no connection broken', async (t) => {
  const server = await ownRedis(t)
  const [a, b] = [
    await buildApp(t, { redis: await connect(t, server.url), commandTimeout }), await buildApp(t, { redis: await connect(t, server.url), commandTimeout })
  ]
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  const keys = Array.from({ length: 10 }, (_, index) => `key ${index}`)
  for (const key of keys) await a.cache.set(key, 'old')
  await server.pause()
  for (const key of keys) t.strictSame(await a.cache.delete(key), { shared: false })
  await server.resume()
  await eventually(async () => (await Promise.all(keys.map((key) => b.cache.has(key)))).every((has) => !has))
  t.pass()
})

t.test('a Redis that is full still loses what is deleted', async (t) => {
  const server = await ownRedis(t)
  const client = await connect(t, server.url)
  const app = await buildApp(t, { redis: client })
  await app.cache.set('a', 'old')
  await client.config('SET', 'maxmemory', '1')
  t.strictSame(await app.cache.delete('a'), { shared: true })
  await client.config('SET', 'maxmemory', '0')
  t.equal(await client.exists('headroom:cache:a'), 0)
})

t.test('a client that connects lazily does so with the first command', async (t) => {
  const server = await ownRedis(t)
  const client = new Redis(server.url, { lazyConnect: true })
  t.teardown(() => client.disconnect())
  const app = await buildApp(t, { redis: client })
  await eventually(async () => (await app.cache.set('a', 1)).shared)
  t.pass()
})
