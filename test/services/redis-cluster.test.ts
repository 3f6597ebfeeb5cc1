import { readdir } from 'node:fs/promises'
import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type RedisCluster, startRedisCluster } from '../../services/redis-cluster.js'
import type { RedisServer } from '../../services/redis-server.js'
import { runApp } from '../helpers/app-process.js'
import { eventually } from '../helpers/eventually.js'
import { ownCluster } from '../helpers/redis.js'
import { isAlive } from './fixtures/spawn-owner.js'
import { fixture } from '../helpers/project.js'

function connect (t: Test, { startupNodes }: RedisCluster): Cluster {
  const client = new Cluster(startupNodes)
  client.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  return client
}

/** A node by itself: what it holds, and not where it would send us. */
function connectTo (t: Test, { url }: RedisServer): Redis {
  const redis = new Redis(url)
  redis.on('error', () => {})
  t.teardown(() => { redis.disconnect() })
  return redis
}

async function roleOf (t: Test, node: RedisServer): Promise<string> {
  return String((await connectTo(t, node).role())[0])
}

const cluster = await ownCluster(t)

t.test('each master serves its third of the slots, and its replica has what it has', async (t) => {
  const client = connect(t, cluster)
  const [first, second, third] = cluster.nodes.slice(0, 3) as [RedisServer, RedisServer, RedisServer]
  // Slots 15495, 3300 and 7365.
  for (const [key, master] of [['a', third], ['b', first], ['c', second]] as const) {
    t.equal(await client.set(key, 'value'), 'OK')
    t.equal((await cluster.masterOf(key)).port, master.port)
    t.equal(await connectTo(t, master).get(key), 'value')
    const replica = await cluster.replicaOf(master)
    await eventually(async () => await connectTo(t, replica).dbsize() === 1)
  }
  t.equal(await cluster.masterOf(0), first)
  t.equal(await cluster.masterOf(16_383), third)
})

t.test('a fail-over on an order promotes the replica, loses nothing, and clients go on', async (t) => {
  const client = connect(t, cluster)
  await client.set('a', 'before')
  const old = await cluster.masterOf('a')
  const replica = await cluster.replicaOf(old)

  const promoted = await cluster.failOver(old)

  t.equal(promoted, replica)
  t.equal(await cluster.masterOf('a'), replica)
  t.equal(await cluster.replicaOf(promoted), old)
  t.equal(await roleOf(t, promoted), 'master')
  t.equal(await roleOf(t, old), 'slave')
  t.equal(await client.get('a'), 'before')
  t.equal(await client.set('a', 'after'), 'OK')
  t.equal(await connectTo(t, promoted).get('a'), 'after')
})

t.test('a killed master is replaced without being asked for, and comes back as a replica', async (t) => {
  const client = connect(t, cluster)
  await client.set('a', 'before')
  const old = await cluster.masterOf('a')
  await connectTo(t, old).wait(1, 1_000)
  const began = performance.now()

  const promoted = await cluster.failOver(old, 'kill')

  t.comment(`promoted after ${Math.round(performance.now() - began)} ms`)
  t.notOk(isAlive(old.pid))
  t.equal(await roleOf(t, promoted), 'master')
  t.equal(await client.get('a'), 'before')
  t.equal(await client.set('a', 'after'), 'OK')

  await old.restart()
  await eventually(async () => await cluster.replicaOf(promoted).catch(() => undefined) === old)
  const again = connectTo(t, old)
  await again.readonly()
  await eventually(async () => await again.get('a').catch(() => '') === 'after')
})

t.test('a frozen master is replaced, and gives way when it is thawed', async (t) => {
  const old = await cluster.masterOf('a')

  const promoted = await cluster.failOver(old, 'pause')

  t.equal(await cluster.masterOf('a'), promoted)
  await old.resume()
  await eventually(async () => await roleOf(t, old) === 'slave')
  t.equal(await cluster.masterOf('a'), promoted)
})

// Side by side, with Clusters of their own: most of the time they wait for them.
t.jobs = 3

t.test('three masters with a replica each are up in under ten seconds and gone when stopped', async (t) => {
  const began = performance.now()
  const cluster = await startRedisCluster()
  const took = performance.now() - began
  t.comment(`up after ${Math.round(took)} ms`)
  t.ok(took < 10_000)
  t.strictSame(await Promise.all(cluster.nodes.map((node) => roleOf(t, node))), ['master', 'master', 'master', 'slave', 'slave', 'slave'])

  await cluster.stop()

  t.notOk(cluster.nodes.some(({ pid }) => isAlive(pid)))
})

t.test('three masters alone serve every slot, without a replica', async (t) => {
  const cluster = await ownCluster(t, { replicas: 0 })
  t.strictSame(await Promise.all(cluster.nodes.map((node) => roleOf(t, node))), ['master', 'master', 'master'])
  const client = connect(t, cluster)
  for (const key of ['a', 'b', 'c']) t.equal(await client.set(key, 'value'), 'OK')
  const [first, , third] = cluster.nodes
  t.equal(await cluster.masterOf(0), first)
  t.equal(await cluster.masterOf(16_383), third)
  await t.rejects(cluster.replicaOf(first!), { message: /^No replica of/ })
})

t.test('with persist, all nodes can be killed and come back with their data', async (t) => {
  const cluster = await ownCluster(t, { persist: true })
  await connect(t, cluster).set('a', 'value')

  await Promise.all(cluster.nodes.map((node) => node.kill()))
  await Promise.all(cluster.nodes.map((node) => node.restart()))

  const client = connect(t, cluster)
  await eventually(async () => await client.get('a').catch(() => undefined) === 'value', 15_000)
})

t.test('a Cluster is gone, with its folders, when its owner is killed', async (t) => {
  const folder = t.testdir({})
  const owner = await runApp(t, fixture('./fixtures/cluster-owner.ts', import.meta.url), { env: { TMPDIR: folder } })
  const [{ pids }] = owner.messages() as [{ pids: number[] }]
  t.ok(pids.length === 6 && pids.every(isAlive))
  const folders = async (): Promise<number> => (await readdir(folder)).filter((name) => name.startsWith('headroom-redis-')).length
  t.equal(await folders(), 6)

  await owner.kill()

  await eventually(() => !pids.some(isAlive))
  await eventually(async () => await folders() === 0)
})
