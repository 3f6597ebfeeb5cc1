import fastifyRedis from '@fastify/redis'
import fastify, { type FastifyInstance } from 'fastify'
import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import cache, { type Cache, type CacheOptions } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { captureLog } from '../helpers/log-capture.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

function bare (t: Test): FastifyInstance {
  const app = fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  return app
}

const durations = "(milliseconds, or a string such as '250ms' or '15m')"
const mistakes: Array<[title: string, options: unknown, message: string | RegExp]> = [
  ['a misspelt option', { tll: 5 }, /^cache: options\.tll: expected one of the keys redis, memory, .*, got the unknown key "tll"; did you mean "ttl"\?$/],
  ['a negative ttl', { ttl: -1 }, `cache: options.ttl: expected a duration of zero or more and 36500 days at most ${durations}, got -1`],
  ['a ttl without a unit', { ttl: '60' }, `cache: options.ttl: expected a duration of zero or more and 36500 days at most ${durations}, got "60"`],
  ['a command timeout of zero', { commandTimeout: 0 }, `cache: options.commandTimeout: expected a duration of 1 ms or more and 2147483647 ms at most ${durations}, got 0`],
  ['a longest load of zero', { longestLoad: 0 }, `cache: options.longestLoad: expected a duration of 1 ms or more and 2147483647 ms at most ${durations}, got 0`],
  ['a URL in place of a Redis client', { redis: 'redis://localhost' }, 'cache: options.redis: expected an ioredis client, Redis or Cluster, or false, got "redis://localhost"'],
  ['a client of another package', { redis: { isReady: true, get () {} } }, 'cache: options.redis: expected an ioredis client, Redis or Cluster, or false, got an object'],
  ['redis: true', { redis: true }, 'cache: options.redis: expected an ioredis client, Redis or Cluster, or false, got true'],
  ['redis: null', { redis: null }, 'cache: options.redis: expected an ioredis client, Redis or Cluster, or false, got null'],
  ['a prefix with braces', { prefix: '{app}' }, 'cache: options.prefix: expected a non-empty string without spaces, braces and colons, got "{app}"'],
  ['a prefix with a colon', { prefix: 'a:b' }, 'cache: options.prefix: expected a non-empty string without spaces, braces and colons, got "a:b"'],
  ['a prefix with a space', { prefix: 'my app' }, 'cache: options.prefix: expected a non-empty string without spaces, braces and colons, got "my app"'],
  ['an empty prefix', { prefix: '' }, 'cache: options.prefix: expected a non-empty string without spaces, braces and colons, got ""'],
  ['a misspelt option of memory', { memory: { maxByte: 1 } }, 'cache: options.memory.maxByte: expected one of the keys maxBytes, got the unknown key "maxByte"; did you mean "maxBytes"?'],
  ['a memory of no bytes', { memory: { maxBytes: 0 } }, /^cache: options\.memory\.maxBytes: expected a size of 1 byte or more .*, got 0$/],
  ['memory: true', { memory: true }, /^cache: options\.memory: expected an object.*, got true$/],
  ['memory: null', { memory: null }, /^cache: options\.memory: expected an object.*, got null$/],
  ['a lease of no time', { lease: 0 }, /^cache: options\.lease: expected a duration of 100 ms or more .*, got 0$/],
  ['writes to be shared without Redis', { strict: true, redis: false }, 'cache: options.strict: needs Redis, through which writes are shared'],
  ['an empty decorator name', { decorateAs: '' }, 'cache: options.decorateAs: expected a non-empty string, got ""'],
  ['a clock that is a number', { now: 5 }, 'cache: options.now: expected a function that returns milliseconds, got 5'],
  ['a monotonic clock that is a number', { monotonicNow: 5 }, 'cache: options.monotonicNow: expected a function that returns milliseconds, got 5'],
  ['a ttl longer than Redis can count', { ttl: 1e30 }, /^cache: options\.ttl: expected/],
  ['a command timeout longer than a timer can count', { commandTimeout: '60d' }, /^cache: options\.commandTimeout: expected/]
]

for (const [title, options, message] of mistakes) {
  t.test(`${title} stops the boot and says where, what was expected and what came`, async (t) => {
    const app = bare(t)
    await t.rejects(async () => { await app.register(cache, options as CacheOptions) }, { code: 'FST_HEADROOM_CACHE_OPTION', message })
  })
}

t.test('a client that reads from replicas stops the boot: they can have what was deleted', async (t) => {
  const clients = [
    [new Cluster([{ port: 1 }], { lazyConnect: true, scaleReads: 'slave' }), 'scaleReads "slave"'],
    [new Redis({ lazyConnect: true, sentinels: [{ port: 1 }], name: 'main', role: 'slave' }), 'role "slave"'],
    [new Redis({ lazyConnect: true, readOnly: true }), 'readOnly true']
  ] as const
  for (const [redis, option] of clients) {
    const app = bare(t)
    await t.rejects(async () => { await app.register(cache, { redis }) }, {
      code: 'FST_HEADROOM_CACHE_OPTION', message: `cache: options.redis: expected a client that reads from masters, got one with ${option}`
    })
    redis.disconnect()
  }
})

t.test('a client of a Cluster with a key prefix stops the boot: the slots of its keys are not known', async (t) => {
  for (const options of [{ keyPrefix: 'shop:' }, { redisOptions: { keyPrefix: 'shop:' } }]) {
    const redis = new Cluster([{ port: 1 }], { lazyConnect: true, ...options })
    await t.rejects(async () => { await bare(t).register(cache, { redis }) }, {
      code: 'FST_HEADROOM_CACHE_OPTION', message: 'cache: options.redis: expected a client of a Cluster that has no key prefix, got one with keyPrefix "shop:"'
    })
    redis.disconnect()
  }
})

t.test('what was given as options is not changed', async (t) => {
  const options = Object.freeze({ redis: false, memory: Object.freeze({ maxBytes: '1mb' }), ttl: '5s' }) as CacheOptions
  await t.resolves(buildApp(t, options))
})

t.test('the cache works with no options at all', async (t) => {
  const app = bare(t)
  await app.register(cache)
  t.equal(await app.cache.getOrSet('a', () => 1), 1)
  t.equal(await app.cache.getOrSet('a', () => 2), 1)
  t.strictSame(await app.cache.set('a', 3), { shared: false })
})

t.test('app.redis is used without being named', async (t) => {
  const app = bare(t)
  const prefix = freshPrefix(redis.prefix)
  await app.register(fastifyRedis, { client: await connect(t, redis.url) })
  await app.register(cache, { prefix, commandTimeout: '10s' })
  t.strictSame(await app.cache.set('a', 1), { shared: true })
})

t.test('redis: false leaves an app.redis alone', async (t) => {
  const app = bare(t)
  await app.register(fastifyRedis, { client: await connect(t, redis.url) })
  await app.register(cache, { redis: false })
  t.strictSame(await app.cache.set('a', 1), { shared: false })
  t.equal(await app.cache.get('a'), 1)
})

t.test('an app.redis that is no client, or many under names, is left alone, and that is said', async (t) => {
  const { stream, text } = captureLog()
  const app = fastify({ logger: { stream, level: 'warn' } }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(fastifyRedis, { client: await connect(t, redis.url), namespace: 'main' })
  await app.register(cache)
  t.strictSame(await app.cache.set('a', 1), { shared: false })
  t.match(text(), 'cache: app.redis is not an ioredis client, and is not used')
  const named = bare(t)
  await named.register(fastifyRedis, { client: await connect(t, redis.url), namespace: 'main' })
  await named.register(cache, { redis: (named as unknown as { redis: Record<string, Redis> }).redis.main!, prefix: freshPrefix(redis.prefix), commandTimeout: '10s' })
  t.strictSame(await named.cache.set('a', 1), { shared: true })
})

t.test('decorateAs gives another name where cache is taken', async (t) => {
  const app = bare(t)
  app.decorate('cache', 'taken' as unknown as Cache)
  await app.register(cache, { redis: false, decorateAs: 'headroomCache' })
  const own = (app as unknown as { headroomCache: Cache }).headroomCache
  t.equal(await own.getOrSet('a', () => 1), 1)
  t.equal(app.cache, 'taken')
})

t.test('registered twice in one scope stops the boot, and what it opened closes with the app', async (t) => {
  const client = await connect(t, redis.url)
  const opened: Redis[] = []
  const duplicate = client.duplicate.bind(client)
  client.duplicate = (...args) => {
    opened.push(duplicate(...args))
    return opened.at(-1)!
  }
  const app = bare(t)
  await app.register(cache, { redis: client })
  await t.rejects(async () => { await app.register(cache, { redis: client }) }, { code: 'FST_ERR_DEC_ALREADY_PRESENT' })
  await app.close()
  await eventually(() => opened.every(({ status }) => status === 'end'))
  t.ok(opened.length > 0)
})

t.test('registered again in a child scope, the child has a cache of its own, and siblings do not see each other', async (t) => {
  const app = bare(t)
  const caches: Record<string, Cache> = {}
  await app.register(cache, { redis: false })
  for (const name of ['a', 'b']) {
    await app.register(async (child) => {
      await child.register(cache, { redis: false })
      caches[name] = child.cache
    })
  }
  await app.register(async (child) => { caches.heir = child.cache })
  await app.ready()
  await app.cache.set('k', 'root')
  await caches.a!.set('k', 'a')
  t.equal(await caches.b!.has('k'), false)
  t.equal(await caches.a!.get('k'), 'a')
  t.equal(await app.cache.get('k'), 'root')
  t.equal(caches.heir, app.cache, 'a child without its own has that of its parent')
})

t.test('a cache in a child scope is not seen by its parent', async (t) => {
  const app = bare(t)
  await app.register(async (child) => { await child.register(cache, { redis: false }) })
  await app.ready()
  t.notOk(app.hasDecorator('cache'))
})

t.test('two caches over one Redis and prefix in one process keep in step', async (t) => {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const [a, b] = [await buildApp(t, { redis: client, prefix }), await buildApp(t, { redis: client, prefix })]
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  await a.cache.set('a', 1)
  t.equal(await b.cache.get('a'), 1)
  await b.cache.delete('a')
  await t.resolves(eventually(async () => !await a.cache.has('a')))
})

t.test('memory stays within its bound, the least recently used go first', async (t) => {
  const { cache: bounded } = await buildApp(t, { redis: false, memory: { maxBytes: '10kb' } })
  for (let index = 0; index < 100; index++) {
    await bounded.set(`key ${index}`, 'x'.repeat(500))
    await bounded.get('key 0')
    t.ok(bounded.stats().bytes <= 10 * 1_024)
  }
  t.equal(await bounded.has('key 0'), true)
  t.equal(await bounded.has('key 1'), false)
  t.equal(await bounded.getOrSet('too large', () => 'x'.repeat(20_000)), 'x'.repeat(20_000))
  t.equal(await bounded.has('too large'), false)
})

t.test('a client that gives numbers as strings works like any other', async (t) => {
  const app = await buildApp(t, { redis: await connect(t, redis.url, { stringNumbers: true }), prefix: freshPrefix(redis.prefix) })
  await trustsMemory(app)
  await app.cache.getOrSet('a', () => 1)
  const before = app.cache.stats().memoryHits
  await app.cache.getOrSet('a', () => 2)
  t.equal(app.cache.stats().memoryHits, before + 1, 'a loaded value stays in memory')
})

t.test('a client without an offline queue, and one that pipelines by itself, work like any other', async (t) => {
  for (const options of [{ enableOfflineQueue: false }, { enableAutoPipelining: true }]) {
    const app = await buildApp(t, { redis: await connect(t, redis.url, options), prefix: freshPrefix(redis.prefix) })
    await trustsMemory(app)
    t.equal(await app.cache.getOrSet('a', () => 1), 1)
    t.equal(await app.cache.getOrSet('a', () => 2), 1)
    t.equal(app.cache.stats().redisErrors, 0)
  }
})
