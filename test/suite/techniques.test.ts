import t from 'tap'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { buildApp } from './build-app.js'

const techniques = ['headroom-slow-request', 'headroom-parallel', 'headroom-pool-health', 'headroom-cache', 'headroom-stream-reply', 'headroom-cache-headers', 'headroom-compression']

/** Never connects: a pool opens its first connection when it is asked for one. */
const idlePool = (): Pool => new Pool({ host: '127.0.0.1', port: 1 })

t.test('with a pool to watch all techniques are registered', async (t) => {
  const { app } = await buildApp(t, {}, (app) => { app.decorate('pg' as string, { pool: idlePool() }) })
  for (const name of techniques) t.ok(app.hasPlugin(name), name)
  t.match(app.poolHealth.status(), { main: { size: 0, idle: 0, waiting: 0, max: 10, errors: 0 } })
})

t.test('the latency clock starts before what the other techniques do', async (t) => {
  const { app } = await buildApp(t, {}, (app) => { app.decorate('pg' as string, { pool: idlePool() }) })
  const tree = app.printPlugins()
  const order = techniques.map((name) => tree.indexOf(name))
  t.ok(order.every((index) => index >= 0), tree)
  t.strictSame(order, order.toSorted((a, b) => a - b))
})

t.test('without options and without a pool there are the cache and the slow log, and no pool health', async (t) => {
  const { app } = await buildApp(t)
  t.ok(app.hasPlugin('headroom-slow-request'))
  t.ok(app.hasDecorator('cache'))
  t.notOk(app.hasPlugin('headroom-pool-health'))
  t.notOk(app.hasDecorator('poolHealth'))
})

t.test('a technique that is switched off is not registered and decorates nothing', async (t) => {
  const { app } = await buildApp(t, { slowRequest: false, parallel: false, cache: false, poolHealth: false, streamReply: false, cacheHeaders: false, compression: false }, (app) => { app.decorate('pg' as string, { pool: idlePool() }) })
  for (const name of techniques) t.notOk(app.hasPlugin(name), name)
  for (const name of ['cache', 'poolHealth', 'streamReply', 'compression']) t.notOk(app.hasDecorator(name), name)
  app.get('/', async (request) => Reflect.ownKeys(request.routeOptions.config).map(String))
  t.strictSame((await app.inject('/')).json(), ['url', 'method'])
})

t.test('each technique is switched off alone', async (t) => {
  for (const [index, option] of ['slowRequest', 'parallel', 'poolHealth', 'cache', 'streamReply', 'cacheHeaders', 'compression'].entries()) {
    const { app } = await buildApp(t, { [option]: false }, (app) => { app.decorate('pg' as string, { pool: idlePool() }) })
    t.strictSame(techniques.filter((technique) => !app.hasPlugin(technique)), [techniques[index]])
  }
})

t.test('write-behind is there only when it is asked for', async (t) => {
  const { app } = await buildApp(t)
  t.notOk(app.hasDecorator('writeBehind'))
  await t.rejects(buildApp(t, { writeBehind: true }), { code: 'FST_HEADROOM_WRITE_BEHIND_OPTION', message: /options\.redis/ })
  const redis = new Redis({ lazyConnect: true, port: 1, retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  t.teardown(() => { redis.disconnect() })
  const { app: asked } = await buildApp(t, { writeBehind: { redis } })
  t.ok(asked.hasDecorator('writeBehind'))
})

t.test('true registers a technique with its defaults', async (t) => {
  const { app } = await buildApp(t, { slowRequest: true, cache: true, poolHealth: true }, (app) => { app.decorate('pg' as string, { pool: idlePool() }) })
  for (const name of techniques) t.ok(app.hasPlugin(name), name)
})

t.test('poolHealth: true where there is no pool stops the boot', async (t) => {
  await t.rejects(buildApp(t, { poolHealth: true }), { code: 'FST_HEADROOM_POOL_HEALTH_OPTION' })
})

t.test('an app.pg with only named pools, or that is something else, does not stop a boot that asked for nothing', async (t) => {
  await t.resolves(buildApp(t, {}, (app) => { app.decorate('pg' as string, { reads: { pool: idlePool() } }) }), 'named, as @fastify/postgres makes it')
  await t.resolves(buildApp(t, {}, (app) => { app.decorate('pg' as string, { query () {} }) }), 'of another plugin')
})

t.test('without app.redis the cache works from memory', async (t) => {
  const { app } = await buildApp(t)
  let loads = 0
  const load = async (): Promise<number> => ++loads
  t.equal(await app.cache.getOrSet('key', load), 1)
  t.equal(await app.cache.getOrSet('key', load), 1)
})
