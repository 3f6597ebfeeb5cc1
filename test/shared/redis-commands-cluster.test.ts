import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RedisCommands, UNLESS_LATE, UnavailableError } from '../../plugins/shared/redis-commands.js'
import { slotOf } from '../../plugins/shared/redis-slot.js'
import { ownCluster } from '../helpers/redis.js'

const APPEND = `${UNLESS_LATE} return redis.call('APPEND', KEYS[1], ARGV[1])`

const cluster = await ownCluster(t)

const keysOf = (name: string): string[] => Array.from({ length: 60 }, (_, n) => `${name} ${n}`)

/** A client that learns of slots that have moved only by being redirected. */
async function connect (t: Test): Promise<Cluster> {
  const client = new Cluster(cluster.startupNodes, { slotsRefreshInterval: 0 })
  t.teardown(() => { client.disconnect() })
  await new Promise((resolve) => { client.once('ready', resolve) })
  return client
}

function masterOf (client: Cluster, key: string): string {
  return client.slots[slotOf(key)]![0]!
}

async function at (t: Test, address: string): Promise<{ node: Redis, id: string }> {
  const node = new Redis(`redis://${address}`)
  t.teardown(() => { node.disconnect() })
  return { node, id: await node.cluster('MYID') }
}

t.test('keys of one node are asked for in one piece', async (t) => {
  const [client, keys] = [await connect(t), keysOf('piped')]
  let pipelines = 0
  const commands = new RedisCommands({
    client: Object.defineProperty(client, 'pipeline', {
      value: () => {
        pipelines++
        return Cluster.prototype.pipeline.call(client)
      }
    }),
    timeout: 10_000
  })
  await commands.writeEach(APPEND, keys.map((key) => ({ keys: [key], args: [`of ${key}`] })))
  t.equal(pipelines, 3, 'as many as there are masters')
  t.strictSame((await commands.get(keys)).map(String), keys.map((key) => `of ${key}`))
  t.equal(pipelines, 6)
})

t.test('what is of another type than values are is read as an empty one, alone and among others', async (t) => {
  const [client, keys] = [await connect(t), keysOf('foreign')]
  const commands = new RedisCommands({ client, timeout: 10_000 })
  await Promise.all(keys.map(async (key, n) => n % 2 === 0 ? await client.rpush(key, 'x') : await client.set(key, key)))
  t.strictSame(await commands.get(keys), keys.map((key, n) => Buffer.from(n % 2 === 0 ? '' : key)))
  t.strictSame(await commands.get([keys[0]!]), [Buffer.alloc(0)])
})

t.test('a slot that has moved is followed: every key is read, and every script runs once', async (t) => {
  const [client, keys] = [await connect(t), keysOf('moved')]
  const commands = new RedisCommands({ client, timeout: 10_000 })
  await commands.writeEach(APPEND, keys.map((key) => ({ keys: [key], args: ['a'] })))

  const from = masterOf(client, keys[0]!)
  const to = masterOf(client, keys.find((key) => masterOf(client, key) !== from)!)
  const [source, target] = [await at(t, from), await at(t, to)]
  const moving = keys.filter((key) => masterOf(client, key) === from).slice(0, 2)
  for (const key of moving) {
    const slot = slotOf(key)
    await target.node.cluster('SETSLOT', slot, 'IMPORTING', source.id)
    await source.node.cluster('SETSLOT', slot, 'MIGRATING', target.id)
    const [host, port] = to.split(':')
    await source.node.migrate(host!, Number(port), key, 0, 5_000)
    for (const { node } of [target, source]) await node.cluster('SETSLOT', slot, 'NODE', target.id)
  }

  const results = await commands.writeEach(APPEND, keys.map((key) => ({ keys: [key], args: ['b'] })))
  t.ok(results.every(({ status }) => status === 'fulfilled'))
  t.strictSame((await commands.get(keys)).map(String), keys.map(() => 'ab'))
})

t.test('the breaker of a node that hangs opens for its keys alone', async (t) => {
  const [client, keys] = [await connect(t), keysOf('hung')]
  const commands = new RedisCommands({ client, timeout: 100 })
  await commands.get(keys)
  const hung = masterOf(client, keys[0]!)
  const node = cluster.nodes.find(({ url }) => url.endsWith(hung.split(':')[1]!))!
  await node.pause()
  t.teardown(() => node.resume())
  const [lost, there] = [keys.filter((key) => masterOf(client, key) === hung), keys.filter((key) => masterOf(client, key) !== hung)]
  for (let attempt = 0; attempt < 3; attempt++) t.ok((await commands.get(lost)).every((value) => value instanceof Error && value.name === 'DeadlineError'))
  t.strictSame([commands.isFailing(lost[0]!), commands.isFailing(there[0]!)], [true, false])
  const values = await commands.get(keys)
  t.ok(keys.every((key, index) => lost.includes(key) === values[index] instanceof UnavailableError))
  await t.rejects(commands.write(APPEND, { keys: [lost[0]!], args: ['c'] }), UnavailableError)
  t.ok(commands.available)
  t.ok((await commands.get(there)).every((value) => !(value instanceof Error)))
})
