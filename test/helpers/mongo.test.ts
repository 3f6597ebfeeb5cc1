import mongoose, { type Connection, type ConnectOptions, type mongo } from 'mongoose'
import t, { type Test } from 'tap'
import { setEnvironment } from './environment.js'
import { eventually } from './eventually.js'
import type { MongoServer } from './mongo-server.js'
import { ownMongo, useMongo } from './mongo.js'

const impatient = { heartbeatFrequencyMS: 50, minHeartbeatFrequencyMS: 5, serverSelectionTimeoutMS: 2_000 } satisfies ConnectOptions

async function connect (t: Test, url: string, options?: ConnectOptions): Promise<Connection> {
  const connection = await mongoose.createConnection(url, { ...impatient, ...options }).asPromise()
  t.teardown(() => connection.close())
  return connection
}

async function connectClient (t: Test, url: string): Promise<mongo.MongoClient> {
  const client = await new mongoose.mongo.MongoClient(url, impatient).connect()
  t.teardown(() => client.close())
  return client
}

const thing = new mongoose.Schema({ name: { type: String, index: true }, count: Number, at: Date, bytes: Buffer, parts: [{ size: Number }] })

const finds = ({ commands }: MongoServer): number => commands.filter((name) => name === 'find').length

t.test('Mongoose connects, pings, and finds back what it has created', async (t) => {
  const connection = await connect(t, (await useMongo(t)).url)
  const Thing = connection.model('Thing', thing)
  await Thing.init()
  t.match(await connection.db!.admin().ping(), { ok: 1 })
  const values = { name: 'ä', count: 1.5, at: new Date(0), bytes: Buffer.of(0, 255), parts: [{ size: 1 }, { size: -(2 ** 40) }] }
  const [created] = await Thing.create([values, { name: 'other' }])
  const found = await Thing.findOne({ name: 'ä' })
  t.same(found!.toObject(), created!.toObject())
  t.equal((await Thing.findById(created!._id))!.name, 'ä')
  t.same((await Thing.find()).map(({ name }) => name).sort(), ['other', 'ä'])
  t.same(await Thing.find({ name: 'none' }), [])
})

t.test('so does the driver alone, and its limits are kept', async (t) => {
  const client = await connectClient(t, (await useMongo(t)).url)
  const things = client.db().collection<{ _id: number, even: boolean }>('things')
  await things.insertMany([1, 2, 3, 4].map((_id) => ({ _id, even: _id % 2 === 0 })))
  await things.insertOne({ _id: 5, even: false }, { writeConcern: { w: 0 } })
  t.match(await client.db().command({ ping: 1 }), { ok: 1 })
  t.same(await things.find({ even: true }).toArray(), [{ _id: 2, even: true }, { _id: 4, even: true }])
  t.same(await things.find({ even: false }).limit(2).toArray(), [{ _id: 1, even: false }, { _id: 3, even: false }])
  await eventually(async () => await things.findOne({ _id: 5 }) !== null)
})

t.test('the server of MONGODB_URI is used, where the test has a database of its own, gone in the end', async (t) => {
  const server = await ownMongo(t)
  const client = await connectClient(t, server.url)
  setEnvironment(t, { MONGODB_URI: `${server.url}?appName=a/b` })
  let url = ''
  await t.test('a test', async (t) => {
    url = (await useMongo(t)).url
    const { hostname, port, pathname, search } = new URL(url)
    t.match({ hostname, port: Number(port), search }, { hostname: '127.0.0.1', port: server.port, search: '?appName=a/b' })
    t.match(pathname, /^\/headroom_test_/)
    await client.db(pathname.slice(1)).collection('things').insertOne({})
  })
  t.same(await client.db(new URL(url).pathname.slice(1)).collection('things').find().toArray(), [])
})

t.test('the small server says what it cannot do', async (t) => {
  const client = await connectClient(t, (await ownMongo(t)).url)
  const things = client.db().collection('things')
  await t.rejects(client.db().command({ buildInfo: 1 }), { code: 59, codeName: 'CommandNotFound' })
  await t.rejects(things.countDocuments(), { code: 59 })
  await t.rejects(things.find({ a: { $gt: 1 } }).toArray(), { code: 2, message: /more than equality/ })
  await t.rejects(things.find().sort({ a: 1 }).toArray(), { code: 2, message: /sort/ })
})

t.test('finds that are held take connections of the pool until they are let go, one or all', async (t) => {
  const server = await ownMongo(t)
  const Thing = (await connect(t, server.url, { maxPoolSize: 2 })).model('Thing', thing)
  await Thing.create({ name: 'a' })
  const held = server.holdFinds()
  const answers: number[] = []
  const queries = [1, 2, 3].map(async (number) => {
    await Thing.findOne()
    answers.push(number)
  })
  await held.arrived(2)
  t.same([answers, finds(server)], [[], 2])
  held.letOne()
  await held.arrived(3)
  t.equal(answers.length, 1)
  held.open()
  await Promise.all(queries)
  await Thing.findOne()
  t.equal(finds(server), 4)
})

t.test('a client that waits for nothing hears that the server was killed, and is back when the server is', async (t) => {
  const server = await ownMongo(t)
  const connection = await connect(t, server.url)
  const Thing = connection.model('Thing', thing)
  await Thing.create({ name: 'a' })
  let news = 0
  connection.getClient().on('serverHeartbeatSucceeded', ({ awaited }) => { if (awaited) news++ })
  await eventually(() => news > 2)
  const cleared = new Promise((resolve) => { connection.getClient().once('connectionPoolCleared', resolve) })
  await server.kill()
  t.equal(server.connections, 0)
  await cleared
  const query = Thing.findOne({ name: 'a' })
  await server.restart()
  t.match(await query, { name: 'a' })
  t.equal(connection.readyState, 1)
})

t.test('a query whose connection is cut fails, and no answer comes of what was held', async (t) => {
  const server = await ownMongo(t)
  const connection = await connect(t, server.url, { retryReads: false })
  const held = server.holdFinds()
  const query = connection.model('Thing', thing).findOne().exec()
  await held.arrived()
  await server.kill()
  await t.rejects(query, { name: 'MongoNetworkError' })
  held.open()
})

t.test('at the end of the test nothing is left, whatever the client and its queries do', async (t) => {
  const sockets = (): number => process.getActiveResourcesInfo().filter((resource) => resource.startsWith('TCP')).length
  const before = sockets()
  let server!: MongoServer
  let query: Promise<unknown> | undefined
  await t.test('a test', async (t) => {
    server = await ownMongo(t)
    const client = await connectClient(t, server.url)
    const held = server.holdFinds()
    query = client.db().collection('things').findOne()
    query.catch(() => {})
    await held.arrived()
  })
  await t.rejects(query!, { name: 'MongoClientClosedError' })
  t.equal(server.connections, 0)
  await eventually(() => sockets() === before)
  await t.rejects(new mongoose.mongo.MongoClient(server.url, { serverSelectionTimeoutMS: 30 }).connect(), { name: 'MongoServerSelectionError' })
})
