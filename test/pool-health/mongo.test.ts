import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import mongoose from 'mongoose'
import t from 'tap'
import { manualClock } from '../helpers/clock.js'
import { eventually } from '../helpers/eventually.js'
import { ownMongo, useMongo } from '../helpers/mongo.js'
import poolHealth, { type MongoSource } from '../../plugins/pool-health/index.js'
import { buildApp, leakLines, loggingApp } from './build-app.js'
import { addUp, connectMongoose, things } from './mongo-pool.js'

t.test('a MongoClient, a connection of Mongoose, and Mongoose itself can be watched', async (t) => {
  const { url } = await useMongo(t)
  const connection = await connectMongoose(t, url)
  const client = await new mongoose.mongo.MongoClient(url).connect()
  t.teardown(() => client.close())
  await mongoose.connect(url)
  t.teardown(() => mongoose.disconnect())
  const { app } = await buildApp(t, { pools: { client, connection, mongoose } })
  for (const [name, used] of Object.entries({ client, connection: connection.getClient(), mongoose: mongoose.connection.getClient() })) {
    await used.db().collection('things').findOne()
    t.match(app.poolHealth.status()[name], { kind: 'mongodb', ready: true, acquired: 1, released: 1, size: 1, idle: 1, waiting: 0, max: 100 }, name)
  }
})

t.test('one that is not connected, or not any more, stops the boot and says what is expected', async (t) => {
  const { url } = await useMongo(t)
  const closed = await new mongoose.mongo.MongoClient(url).connect()
  await closed.close()
  const connecting = () => {
    const connection = mongoose.createConnection(url)
    t.teardown(async () => { await (await connection.asPromise()).close() })
    return connection
  }
  const sources: Record<string, () => MongoSource> = {
    client: () => new mongoose.mongo.MongoClient(url), closed: () => closed, connecting, mongoose: () => new mongoose.Mongoose()
  }
  for (const [name, source] of Object.entries(sources)) {
    const { app } = loggingApp(t)
    await t.rejects(async () => { await app.register(poolHealth, { pools: { main: source() } }) }, {
      code: 'FST_HEADROOM_POOL_HEALTH_OPTION',
      message: /options\.pools\.main: expected .* a MongoClient or a connection of Mongoose that is connected, got an instance of/
    }, name)
  }
})

t.test('a client by two names stops the boot, whatever it is found by', async (t) => {
  const { url } = await useMongo(t)
  const connection = await connectMongoose(t, url)
  for (const same of [connection, connection.getClient(), connection.useDb('other')]) {
    const { app } = loggingApp(t)
    await t.rejects(async () => { await app.register(poolHealth, { pools: { main: connection, same } }) }, {
      code: 'FST_HEADROOM_POOL_HEALTH_OPTION',
      message: 'pool-health: options.pools.same: expected each pool by one name, got that of options.pools.main'
    })
  }
})

t.test('what a pool had before is known at once: its connections, who has them, and who waits', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 2 })
  const Thing = things(connection)
  const held = server.holdFinds()
  const finds = [Thing.findOne(), Thing.findOne(), Thing.findOne()].map((query) => query.exec())
  await held.arrived(2)
  const { app } = await buildApp(t, { pools: { mongo: connection } })
  const status = () => app.poolHealth.status().mongo!
  t.match(status(), { size: 2, idle: 0, waiting: 1, max: 2, asked: 3, acquired: 2, released: 0, opened: 2, closed: 0 })
  t.match(app.poolHealth.pools.mongo!.holders(), [{ by: 'unknown', connections: 2 }])
  addUp(t, status())
  held.open()
  await Promise.all(finds)
  t.match(status(), { size: 2, idle: 2, waiting: 0, asked: 3, acquired: 3, released: 3 })
  addUp(t, status())
  const { app: other } = await buildApp(t, { pools: { mongo: connection } })
  t.match(other.poolHealth.status().mongo, { size: 2, idle: 2, waiting: 0, max: 2, asked: 0 })
})

t.test('a connection that was being opened before is counted with who wanted it', async (t) => {
  const { url } = await useMongo(t)
  const connection = await connectMongoose(t, url)
  const begun = once(connection.getClient(), 'connectionCreated')
  // One is open since the connect, and the first find takes it.
  const finds = [things(connection).findOne().exec(), things(connection).findOne().exec()]
  await begun
  const { app } = await buildApp(t, { pools: { mongo: connection } })
  await Promise.all(finds)
  t.match(app.poolHealth.status().mongo, { opened: 2, size: 2, idle: 2 })
  addUp(t, app.poolHealth.status().mongo!)
})

t.test('figures are those of the driver, and durations what was waited and held', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 2 })
  const { now, advance } = manualClock()
  const { app } = await buildApp(t, { pools: { mongo: connection }, now })
  const Thing = things(connection)
  const status = () => app.poolHealth.status().mongo!
  await Thing.findOne()
  const held = server.holdFinds()
  const finds = Array.from({ length: 6 }, () => Thing.findOne().exec())
  await held.arrived(2)
  await eventually(() => status().waiting === 4)
  t.match(status(), { size: 2, idle: 0, max: 2, asked: 7, acquired: 3, released: 1 })
  addUp(t, status())
  advance(40)
  held.letOne()
  await held.arrived(3)
  addUp(t, status())
  advance(20)
  held.open()
  await Promise.all(finds)
  const { wait, hold, creation, delay, ...rest } = status()
  t.match(rest, { size: 2, idle: 2, waiting: 0, asked: 7, acquired: 7, released: 7, opened: 2, closed: 0, errors: 0 })
  addUp(t, status())
  t.match({ hold: hold.count, all: wait.count, creation: creation.count }, { hold: 7, all: 7, creation: 1 })
  t.ok(Math.abs(hold.max - 60) <= 1 && Math.abs(wait.max + delay.max - 60) <= 1, `one was held for 60 ms, others waited as long: ${JSON.stringify({ hold, wait, delay })}`)
  t.ok(creation.max > 0 && creation.max < 5_000 && creation.mean > 0)
})

t.test('of a driver into whose pools nobody can look, the figures are what its events tell', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 2 })
  const client = connection.getClient()
  const opaque: MongoSource = {
    options: client.options, topology: {}, db: (name) => client.db(name), on: (event, listener) => client.on(event, listener), off: (event, listener) => client.off(event, listener)
  }
  const { app } = await buildApp(t, { pools: { mongo: opaque } })
  const status = () => app.poolHealth.status().mongo!
  const held = server.holdFinds()
  const finds = Array.from({ length: 5 }, () => things(connection).find().exec())
  await held.arrived(2)
  await eventually(() => status().asked === 5)
  t.match(status(), { size: 2, idle: 0, waiting: 3, max: 2 })
  addUp(t, status())
  held.open()
  await Promise.all(finds)
  t.match(status(), { size: 2, idle: 2, waiting: 0, acquired: 5, released: 5 })
  addUp(t, status())
})

t.test('a connection is told with method, route and request of who asked for it, whoever gave it back', async (t) => {
  const server = await ownMongo(t)
  const connection = await connectMongoose(t, server.url, { maxPoolSize: 1 })
  const { now, advance } = manualClock()
  const Thing = things(connection)
  const { app, lines } = await buildApp(t, { pools: { mongo: connection }, leakThreshold: '30s', destroyLeaked: '31s', now }, (app) => {
    for (const route of ['/first/:id', '/second/:id', '/third/:id']) {
      app.get(route, async ({ id }) => {
        await Thing.findOne()
        return id
      })
    }
  })
  const held = server.holdFinds()
  const replies = ['/first/1?secret', '/second/2', '/third/3'].map(async (url) => (await app.inject(url)).body)
  for (const [index, route] of ['/first/:id', '/second/:id', '/third/:id'].entries()) {
    await held.arrived(index + 1)
    await eventually(() => app.poolHealth.status().mongo!.waiting === 2 - index)
    t.match(app.poolHealth.pools.mongo!.holders(), [{ by: index === 0 ? /mongo\.test/ : route, connections: 1 }])
    advance(31_001)
    await eventually(() => leakLines(lines).length === 2 * index + 1)
    t.match(app.poolHealth.status().mongo, { leaked: index + 1, leaking: 1, size: 1, closed: 0 })
    held.letOne()
    t.match(leakLines(lines)[2 * index], {
      msg: 'a connection of the pool is held for too long',
      pool: 'mongo',
      leak: { held: 31_001, method: 'GET', route, requestId: await replies[index] }
    })
    await eventually(() => leakLines(lines).length === 2 * index + 2)
    t.match(leakLines(lines)[2 * index + 1], { msg: 'a connection that was held for too long came back', leak: { route } })
  }
  // Of one in a hundred.
  t.match(leakLines(lines)[0], { leak: { site: /[\\/]test[\\/]pool-health[\\/]mongo\.test\.[jt]s:\d+:\d+$/ } })
  t.match(app.poolHealth.status().mongo, { leaked: 3, leaking: 0, acquired: 3, released: 3, size: 1, idle: 1 })
  t.notMatch(leakLines(lines), /secret/)
})

t.test('a pool that is too small, one whose queries are slow, and one that is well are told apart', async (t) => {
  const server = await ownMongo(t)
  for (const [verdict, each, rounds] of [['too small', 20, 12], ['slow query', 200, 12], ['healthy', 1, 12]] as const) {
    const connection = await connectMongoose(t, server.url, { maxPoolSize: 2 })
    const { now, advance } = manualClock()
    const { app } = await buildApp(t, { pools: { mongo: connection }, now })
    const Thing = things(connection)
    const find = () => Thing.findOne().exec()
    // Both connections are there: who waits, waits for those.
    await Promise.all([find(), find()])
    advance(60_000)
    const held = server.holdFinds()
    const finds = verdict === 'healthy' ? [] : Array.from({ length: 2 * rounds }, find)
    for (let round = 1; round <= rounds; round++) {
      if (verdict === 'healthy') finds.push(find(), find())
      await held.arrived(2 * round)
      advance(each)
      // Else the event loop would be busy all the time, and to blame.
      await delay(10)
      held.letOne()
      held.letOne()
      if (verdict === 'healthy') await Promise.all(finds)
    }
    held.open()
    await Promise.all(finds)
    const advice = app.poolHealth.advise().mongo!
    t.equal(advice.verdict, verdict, advice.reason)
    if (verdict === 'too small') t.ok(advice.suggestedMax! > 2, advice.reason)
  }
})

t.test('settings that will hurt one day are warned of, each in a line of its own', async (t) => {
  const { url } = await useMongo(t)
  const well = { maxPoolSize: 10, minPoolSize: 2, serverSelectionTimeoutMS: 5_000, socketTimeoutMS: 45_000, waitQueueTimeoutMS: 2_000 }
  const warnings = async (options: object, checkSettings?: boolean) => {
    const connection = await connectMongoose(t, url, options)
    const { lines } = await buildApp(t, { pools: { mongo: connection }, checkSettings: checkSettings ?? true })
    return lines().filter(({ level }) => level === 40)
  }
  const mistakes = [
    [{ maxPoolSize: 1, minPoolSize: 1 }, 10, /one connection/],
    [{ maxPoolSize: 500 }, 10, /each process of the app/],
    [{ minPoolSize: 0 }, 2, /first callers wait/],
    [{ serverSelectionTimeoutMS: 30_000 }, 5_000, /each operation waits 30000 ms/],
    [{ socketTimeoutMS: 0 }, 45_000, /waited for for ever/],
    [{ waitQueueTimeoutMS: 0 }, 2_000, /waits for ever/]
  ] as const
  for (const [mistake, recommended, why] of mistakes) {
    const [setting, value] = Object.entries(mistake)[0]!
    const lines = await warnings({ ...well, ...mistake })
    t.match(lines, [{ pool: 'mongo', setting, value, recommended, why, msg: `pool mongo: ${setting} is ${value}: ${lines[0]?.why as string}` }])
    t.equal(lines.length, 1, setting)
  }
  // The driver lets no pool without a limit have a minimum.
  t.match(await warnings({ ...well, maxPoolSize: 0, minPoolSize: 0 }), [{ setting: 'maxPoolSize', value: 0, recommended: 10, why: /no limit/ }, { setting: 'minPoolSize' }])
  t.strictSame(await warnings(well), [])
  t.strictSame((await warnings({ serverSelectionTimeoutMS: undefined })).map(({ setting, value }) => [setting, value]), [
    ['minPoolSize', 0], ['serverSelectionTimeoutMS', 30_000], ['socketTimeoutMS', 0], ['waitQueueTimeoutMS', 0]
  ], 'the driver\'s defaults')
  t.strictSame(await warnings({}, false), [])
})

t.test('a query on a pool of MongoDB is refused with what is wrong', async (t) => {
  const { url } = await useMongo(t)
  const { app } = await buildApp(t, { pools: { mongo: await connectMongoose(t, url) } })
  for (const options of [undefined, { pool: 'mongo' }, { pool: 'none' }]) {
    await t.rejects(app.poolHealth.query('SELECT 1', [], options), {
      code: 'FST_HEADROOM_POOL_HEALTH_QUERY', message: `pool-health: query: expected the name of a pool of Postgres, got "${options?.pool ?? 'mongo'}"`
    })
  }
})

t.test('after the close nothing of ours is left on the client, which works on', async (t) => {
  const { url } = await useMongo(t)
  const connection = await connectMongoose(t, url)
  const client = connection.getClient()
  const listeners = () => Object.fromEntries(client.eventNames().map((name) => [name, client.listeners(name)]))
  const before = listeners()
  const { app } = await buildApp(t, { pools: { mongo: connection } })
  const Thing = things(connection)
  await Thing.findOne()
  t.not(Object.keys(listeners()).length, Object.keys(before).length)
  await app.close()
  t.strictSame(listeners(), before)
  await Thing.findOne()
  t.match(app.poolHealth.status().mongo, { ready: false, acquired: 1 })
  t.equal(await app.poolHealth.isReady(), false)
})

t.test('an operation does not fail because a clock or a log of the host does', async (t) => {
  const server = await ownMongo(t)
  const warnings: string[] = []
  const hear = ({ message }: Error) => { warnings.push(message) }
  process.on('warning', hear)
  t.teardown(() => process.off('warning', hear))
  let isClockBroken = false
  let isLogBroken = false
  let lines = 0
  const now = () => {
    if (isClockBroken) throw new Error('no time')
    return performance.now()
  }
  const stream = {
    write () {
      if (isLogBroken) throw new Error('no disk')
      lines++
    }
  }
  const clock = await connectMongoose(t, server.url)
  const log = await connectMongoose(t, server.url)
  const app = fastify({ logger: { stream } })
  t.teardown(() => app.close())
  await app.register(poolHealth, { pools: { clock, log }, now, leakThreshold: 1, logInterval: false, checkSettings: false })

  const held = server.holdFinds()
  const leak = things(log).find().exec()
  await eventually(() => lines === 1)
  isLogBroken = true
  held.open()
  await leak
  isLogBroken = false
  await things(clock).find()
  isClockBroken = true
  await Promise.all([things(clock).find(), things(clock).find()])
  isClockBroken = false
  await things(clock).find()
  await eventually(() => warnings.length === 2)
  t.strictSame(warnings, [
    'pool-health: what happened to pool log could not be reported: Error: no disk',
    'pool-health: the watch of pool clock failed, and its figures are not right any more: Error: no time'
  ])
})
