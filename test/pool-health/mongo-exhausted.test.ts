import { once, setMaxListeners } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { manualClock } from '../helpers/clock.js'
import { eventually } from '../helpers/eventually.js'
import { ownMongo } from '../helpers/mongo.js'
import { buildApp } from './build-app.js'
import { addUp, connectMongoose, things } from './mongo-pool.js'

function forward (socket: Socket, port: number): void {
  const server = connect(port, '127.0.0.1')
  server.on('error', () => {})
  socket.pipe(server).pipe(socket)
}

t.test('a request that would wait for too long is refused before its handler; who was admitted is served', async (t) => {
  for (const hasOwnHandler of [false, true]) {
    const server = await ownMongo(t)
    const connection = await connectMongoose(t, server.url, { maxPoolSize: 2, minPoolSize: 2 })
    const Thing = things(connection)
    const { now, advance } = manualClock()
    let handled = 0
    const handler = async () => {
      handled++
      return await Thing.find()
    }
    const { app, lines } = await buildApp(t, { pools: { mongo: connection }, now }, (app) => {
      if (hasOwnHandler) app.setErrorHandler(async (error: Error & { code: string }, _request, reply) => await reply.code(503).send({ code: error.code }))
      app.get('/named', { config: { poolHealth: { deadline: '50ms', pool: 'mongo' } } }, handler)
      app.get('/first', { config: { poolHealth: { deadline: '50ms' } } }, handler)
      app.get('/any', handler)
    })
    const { mongo } = app.poolHealth.pools
    // Else who is admitted could wait for so long that one is opened.
    await eventually(() => mongo!.status().idle === 2)
    const held = server.holdFinds()
    const admitted = ['/named', '/first', '/any', '/any', '/any'].map(async (url) => await app.inject(url))
    await held.arrived(2)
    await eventually(() => mongo!.status().waiting === 3)
    t.equal(mongo!.predictedWait(), 0, 'nothing is known of them yet')
    advance(200)
    t.equal(mongo!.predictedWait(), 400, 'the fourth in the queue for two that have been held for 200 ms')

    const took: number[] = []
    for (const url of ['/named', '/first', '/named', '/first']) {
      const start = performance.now()
      const reply = await app.inject(url)
      took.push(performance.now() - start)
      t.match(reply, { statusCode: 503, headers: { 'retry-after': '1' } })
      t.match(reply.json(), { code: 'FST_HEADROOM_POOL_HEALTH_BUSY', ...(!hasOwnHandler && { message: 'pool-health: the pool mongo has no connection to give in time' }) })
    }
    t.equal(handled, 5)
    t.ok(Math.min(...took) < 5, `in ${Math.min(...took)} ms`)
    t.match(mongo!.status(), { asked: 9, acquired: 2, refused: 4, waiting: 3, size: 2, idle: 0, max: 2, ready: true })
    addUp(t, mongo!.status())
    t.equal(lines().filter(({ msg }) => /the pool is exhausted/.test(msg)).length, 1)

    held.open()
    t.strictSame((await Promise.all(admitted)).map(({ statusCode }) => statusCode), [200, 200, 200, 200, 200])
    t.equal(mongo!.predictedWait(), 0)
    t.equal((await app.inject('/named')).statusCode, 200)
    t.match(mongo!.status(), { waiting: 0, idle: 2, acquired: 6, released: 6, refused: 4 })
    addUp(t, mongo!.status())
  }
})

t.test('a queue that is short is waited in', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 1 })
  const { now, advance } = manualClock()
  const { app } = await buildApp(t, { pools: { mongo: connection }, now }, (app) => {
    app.get('/', { config: { poolHealth: { deadline: '50ms' } } }, async () => await things(connection).find())
  })
  const held = server.holdFinds()
  const replies = [app.inject('/')]
  await held.arrived()
  advance(30)
  replies.push(app.inject('/'))
  await eventually(() => app.poolHealth.status().mongo!.waiting === 1)
  t.equal((await app.inject('/')).statusCode, 503, 'two would be too many')
  held.open()
  t.strictSame((await Promise.all(replies)).map(({ statusCode }) => statusCode), [200, 200])
})

t.test('an operation that has waited for waitQueueTimeoutMS is a 503 of a busy pool, not of a server that is away', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 1, waitQueueTimeoutMS: 30 })
  const Thing = things(connection)
  const addRoutes = (app: FastifyInstance) => {
    app.get('/held', async () => await Thing.find())
    app.post('/guarded', { config: { poolHealth: { deadline: '10s' } } }, async () => await Thing.find())
    app.get('/wrapped', { config: { poolHealth: true } }, async () => {
      try {
        return await Thing.find()
      } catch (cause) {
        throw new Error('no things', { cause })
      }
    })
  }
  const { app } = await buildApp(t, { pools: { mongo: connection } }, addRoutes)
  const status = () => app.poolHealth.status().mongo!
  await Thing.find()
  const held = server.holdFinds()
  const first = app.inject('/held')
  await held.arrived()
  for (const [index, request] of [{ method: 'POST', url: '/guarded' } as const, '/wrapped'].entries()) {
    const reply = await app.inject(request)
    t.match(reply, { statusCode: 503, headers: { 'retry-after': '1' } })
    t.match(reply.json(), { code: 'FST_HEADROOM_POOL_HEALTH_BUSY' })
    t.match(status(), { timeouts: index + 1, failed: 0, ready: true, waiting: 0 }, 'nor does it wait any more')
    addUp(t, status())
  }
  t.equal(await app.poolHealth.isReady(), true)
  held.open()
  t.equal((await first).statusCode, 200)
  addUp(t, status())
})

t.test('operations that are aborted while they wait are not waited with any more', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 1 })
  const { app } = await buildApp(t, { pools: { mongo: connection } })
  const all = connection.getClient().db().collection('things')
  const { mongo } = app.poolHealth.pools
  const held = server.holdFinds()
  const finds = [all.findOne()]
  await held.arrived()
  const abort = new AbortController()
  setMaxListeners(0, abort.signal)
  const aborted = Promise.allSettled(Array.from({ length: 200 }, async (_, index) => {
    if (index % 100 === 50) finds.push(all.findOne())
    return await all.findOne({}, { signal: abort.signal })
  }))
  await eventually(() => mongo!.status().waiting === 202)
  addUp(t, mongo!.status())
  abort.abort()
  t.ok((await aborted).every(({ status }) => status === 'rejected'))
  await eventually(() => mongo!.status().waiting === 2)
  t.match(mongo!.status(), { asked: 203, acquired: 1, failed: 200, ready: true })
  addUp(t, mongo!.status())
  held.open()
  await Promise.all(finds)
  t.match(mongo!.status(), { asked: 203, acquired: 3, released: 3, failed: 200, waiting: 0, idle: 1 })
  await all.findOne()
  t.match(mongo!.status(), { asked: 204, acquired: 4, released: 4, failed: 200 })
  addUp(t, mongo!.status())
})

t.test('a wait that reaches the deadline all the same ends there, and gives up its place', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 1 })
  const Thing = things(connection)
  // Nothing is known of who holds it: else its callers would be refused at once.
  const { now } = manualClock()
  const { app } = await buildApp(t, { pools: { mongo: connection }, now }, (app) => {
    app.get('/', { config: { poolHealth: { deadline: '50ms' } } }, async () => await Thing.find())
    app.get('/patient', async () => await Thing.find())
  })
  const status = () => app.poolHealth.status().mongo!
  const held = server.holdFinds()
  const first = app.inject('/patient')
  await held.arrived(1)
  const patient = app.inject('/patient')
  await eventually(() => status().waiting === 1)
  const late = await Promise.all([app.inject('/'), app.inject('/')])
  for (const reply of late) {
    t.match(reply, { statusCode: 503, headers: { 'retry-after': '1' } })
    t.match(reply.json(), { code: 'FST_HEADROOM_POOL_HEALTH_BUSY' })
  }
  t.match(status(), { expired: 2, refused: 0, failed: 0, timeouts: 0, waiting: 1, ready: true })
  held.open()
  for (const reply of await Promise.all([first, patient])) t.equal(reply.statusCode, 200)
  t.equal((await app.inject('/')).statusCode, 200)
  t.match(status(), { asked: 5, acquired: 3, released: 3, waiting: 0 })
  addUp(t, status())
})

t.test('who gives up at the deadline and whom the driver gives up are counted once each, though they asked at the same moment', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 1, waitQueueTimeoutMS: 150 })
  const Thing = things(connection)
  // Nothing is known of who holds it: else its callers would be refused at once.
  const { now } = manualClock()
  const { app } = await buildApp(t, { pools: { mongo: connection }, now }, (app) => {
    app.get('/', { config: { poolHealth: { deadline: '20ms' } } }, async () => await Thing.find())
    app.get('/patient', async () => await Thing.find())
  })
  const held = server.holdFinds()
  const first = app.inject('/patient')
  await held.arrived(1)
  const replies = await Promise.all(['/', '/patient', '/', '/patient', '/', '/patient'].map((url) => app.inject(url)))
  t.strictSame(replies.map(({ statusCode }) => statusCode), [503, 500, 503, 500, 503, 500])
  t.match(app.poolHealth.status().mongo, { asked: 7, acquired: 1, expired: 3, timeouts: 3, failed: 0, waiting: 0 })
  held.open()
  await first
})

t.test('for whom a connection does not open gives up at its deadline, whatever becomes of who asked at the same moment', async (t) => {
  for (const other of ['waits for one that comes back', 'has one opened', 'has one refused'] as const) {
    const server = await ownMongo(t)
    let opened = 0
    const proxy = createServer((socket) => {
      socket.on('error', () => {})
      if (!isStalling) forward(socket, server.port)
      else if (++opened === 1) socket.resume()
      else if (other === 'has one opened') forward(socket, server.port)
      else socket.destroy()
    }).listen(0, '127.0.0.1')
    let isStalling = false
    t.teardown(() => proxy.close())
    await once(proxy, 'listening')
    const connection = await connectMongoose(t, `mongodb://127.0.0.1:${(proxy.address() as AddressInfo).port}/test`, {
      maxPoolSize: other === 'waits for one that comes back' ? 2 : 3, heartbeatFrequencyMS: 60_000, connectTimeoutMS: 3_000
    })
    const all = connection.getClient().db().collection('things')
    const { now } = manualClock()
    const { app } = await buildApp(t, { pools: { mongo: connection }, now }, (app) => {
      app.get('/', { config: { poolHealth: { deadline: '100ms' } } }, async () => {
        const [first] = await Promise.allSettled([all.findOne(), all.findOne()].map(async (find, index) => await find.finally(() => { if (index === 0) took = performance.now() - start })))
        return first!.status === 'rejected' ? (first!.reason as { code?: string }).code : first!.status
      })
    })
    await all.findOne()
    const held = server.holdFinds()
    const holder = all.findOne()
    await held.arrived()
    isStalling = true
    let took = 0
    const start = performance.now()
    const reply = app.inject('/')
    await eventually(() => app.poolHealth.status().mongo!.asked >= 3)
    await delay(30)
    held.open()
    await holder
    t.equal((await reply).body, 'FST_HEADROOM_POOL_HEALTH_BUSY', other)
    t.ok(took < 1_000, `${took} ms`)
    const { asked, acquired, failed, expired } = app.poolHealth.status().mongo!
    t.strictSame([expired, asked], [1, acquired + failed + expired])
  }
})

t.test('whether a pool is ready is asked by no route\'s deadline', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 1 })
  const { now } = manualClock()
  const { app } = await buildApp(t, { pools: { mongo: connection }, now }, (app) => {
    app.get('/ready', { config: { poolHealth: { deadline: '20ms' } } }, async () => await app.poolHealth.isReady())
  })
  const held = server.holdFinds()
  const find = things(connection).find().exec()
  await held.arrived()
  const reply = app.inject('/ready')
  await eventually(() => app.poolHealth.status().mongo!.waiting === 1)
  await delay(60)
  held.open()
  await find
  t.equal((await reply).body, 'true')
  t.match(app.poolHealth.status().mongo, { expired: 0, acquired: 2 })
})

t.test('a pool that a route names must be one', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url)
  for (const pool of ['none', 'constructor']) {
    await t.rejects(buildApp(t, { pools: { mongo: connection } }, (app) => {
      app.get('/', { config: { poolHealth: { pool } } }, async () => {})
    }), { code: 'FST_HEADROOM_POOL_HEALTH_OPTION', message: new RegExp(`\\.pool: expected the name of a pool: mongo, got "${pool}"`) })
  }
})
