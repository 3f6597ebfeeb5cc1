import t from 'tap'
import { manualClock } from '../helpers/clock.js'
import { eventually } from '../helpers/eventually.js'
import { ownMongo } from '../helpers/mongo.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { buildApp } from './build-app.js'
import { addUp, connectMongoose, things } from './mongo-pool.js'

// Most of the time is spent waiting for timers.
t.jobs = 6

t.test('a server that is killed while nobody asks: not ready, 503 to who asks, and all is well when it is back', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 3 })
  const Thing = things(connection)
  const { app } = await buildApp(t, { pools: { mongo: connection } }, (app) => {
    app.get('/', { config: { poolHealth: true } }, async () => await Thing.find())
    app.post('/', { config: { poolHealth: true } }, async () => await Thing.create({ name: 'a' }))
  })
  const status = () => app.poolHealth.status().mongo!
  await Promise.all([Thing.find(), Thing.find(), Thing.find()])
  const { size } = status()
  t.equal(await app.poolHealth.isReady(), true)

  await server.kill()
  await eventually(() => !status().ready)
  t.equal(await app.poolHealth.isReady(), false)
  const start = performance.now()
  const replies = await Promise.all([app.inject('/'), app.inject('/'), app.inject({ method: 'POST', url: '/' })])
  t.ok(performance.now() - start < 1_500, 'within serverSelectionTimeoutMS, here 400 ms')
  for (const reply of replies) {
    t.match([reply.statusCode, reply.json()], [503, { code: 'FST_HEADROOM_POOL_HEALTH_AWAY' }])
    t.equal(reply.headers['retry-after'], '1', 'nothing was written yet')
  }
  addUp(t, status())

  await server.restart()
  await eventually(() => status().ready)
  t.equal(await app.poolHealth.isReady(), true)
  t.equal((await app.inject('/')).statusCode, 200)
  // The connections that broke are closed in the driver's own time.
  await eventually(() => status().errors === size)
  await eventually(() => status().size === status().idle)
  t.match(status(), { waiting: 0, closed: size })
  addUp(t, status())
})

t.test('a server that is killed while finds run and wait: all end in time, and none stays in the figures', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 2 })
  const { app } = await buildApp(t, { pools: { mongo: connection } }, (app) => {
    app.get('/', { config: { poolHealth: { deadline: '10s' } } }, async () => await things(connection).find())
  })
  const status = () => app.poolHealth.status().mongo!
  const held = server.holdFinds()
  const requests = Array.from({ length: 20 }, async () => await app.inject('/'))
  await held.arrived(2)
  await eventually(() => status().waiting === 18)
  await server.kill()
  const start = performance.now()
  for (const reply of await Promise.all(requests)) {
    t.match([reply.statusCode, reply.json()], [503, { code: 'FST_HEADROOM_POOL_HEALTH_AWAY' }])
  }
  t.ok(performance.now() - start < 1_500)
  t.match(status(), { ready: false, waiting: 0, size: 0, idle: 0, errors: 0 }, 'those that broke were not idle')
  addUp(t, status())

  await server.restart()
  held.open()
  await eventually(() => status().ready)
  t.strictSame((await Promise.all(Array.from({ length: 5 }, async () => await app.inject('/')))).map(({ statusCode }) => statusCode), [200, 200, 200, 200, 200])
  t.match(status(), { waiting: 0, ready: true })
  t.ok(status().size >= 1 && status().size <= 2 && status().size === status().idle)
  addUp(t, status())
})

t.test('requests that come while the server starts again are answered', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { serverSelectionTimeoutMS: 5_000 })
  const { app } = await buildApp(t, { pools: { mongo: connection } }, (app) => {
    app.get('/', { config: { poolHealth: true } }, async () => await things(connection).find())
  })
  const held = server.holdFinds()
  const running = app.inject('/')
  await held.arrived()
  await server.kill()
  const reply = app.inject('/')
  held.open()
  await server.restart()
  t.equal((await running).statusCode, 200, 'the driver finds again')
  t.equal((await reply).statusCode, 200)
  t.equal(app.poolHealth.status().mongo!.ready, true)
  addUp(t, app.poolHealth.status().mongo!)
})

t.test('that a server is back is found out within a second, also where the driver would look later, and pings do not pile up', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { heartbeatFrequencyMS: 60_000, minHeartbeatFrequencyMS: 500, serverSelectionTimeoutMS: 30_000 })
  const { app } = await buildApp(t, { pools: { mongo: connection } })
  const status = () => app.poolHealth.status().mongo!
  await server.kill()
  await eventually(() => !status().ready)
  t.equal(await app.poolHealth.isReady(), false)
  const pings = () => server.commands.filter((name) => name === 'ping').length
  const before = pings()
  await server.restart()
  await eventually(() => status().ready, 3_000)
  await things(connection).find()
  t.ok(pings() - before <= 1, 'those that were given up do not come')
  addUp(t, status())
})

t.test('a server that was away when the watch began is known to be', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url)
  const isGone = new Promise((resolve) => { connection.getClient().once('serverHeartbeatFailed', resolve) })
  await server.kill()
  await isGone
  const { app } = await buildApp(t, { pools: { mongo: connection } })
  t.equal(app.poolHealth.status().mongo!.ready, false)
  t.equal(await app.poolHealth.isReady(), false)
  await server.restart()
  await eventually(() => app.poolHealth.status().mongo!.ready)
})

t.test('a server that says nothing any more is away, and its requests end when its timeouts have', async (t) => {
  const server = await ownMongo(t)
  const proxy = await startProxy(t, server.port)
  const connect = async () => await connectMongoose(t, `mongodb://127.0.0.1:${proxy.port}/test`, { socketTimeoutMS: 200, connectTimeoutMS: 200, heartbeatFrequencyMS: 60_000 })
  // A machine that is busy can be late once.
  const connection = await connect().catch(connect)
  const { now, advance } = manualClock()
  const { app } = await buildApp(t, { pools: { mongo: connection }, now }, (app) => {
    app.get('/', { config: { poolHealth: true } }, async () => await things(connection).find())
  })
  const status = () => app.poolHealth.status().mongo!
  t.equal((await app.inject('/')).statusCode, 200)
  proxy.swallow()
  t.equal(await app.poolHealth.isReady(), true, 'it has just answered')
  advance(5_000)
  t.equal(await app.poolHealth.isReady(), false)
  t.equal(status().ready, false)
  const start = performance.now()
  t.match((await app.inject('/')).json(), { code: 'FST_HEADROOM_POOL_HEALTH_AWAY' })
  t.ok(performance.now() - start < 2_000)
  t.equal(status().ready, false)
  proxy.letThrough()
  await eventually(() => status().ready)
  t.equal((await app.inject('/')).statusCode, 200)
  await eventually(() => status().size === status().idle)
  addUp(t, status())
})
