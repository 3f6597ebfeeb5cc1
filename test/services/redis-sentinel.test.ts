import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type RedisSentinel, startRedisSentinel } from '../../services/redis-sentinel.js'
import type { RedisServer } from '../../services/redis-server.js'
import { eventually } from '../helpers/eventually.js'
import { ownSentinel } from '../helpers/redis.js'
import { isAlive } from './fixtures/spawn-owner.js'

/** A client that asks the Sentinels who the master is. */
function connect (t: Test, { sentinels, name }: RedisSentinel): Redis {
  const redis = new Redis({ sentinels, name, sentinelRetryStrategy: () => 20, retryStrategy: () => 20 })
  redis.on('error', () => {})
  t.teardown(() => { redis.disconnect() })
  return redis
}

function connectTo (t: Test, { url }: RedisServer): Redis {
  const redis = new Redis(url)
  redis.on('error', () => {})
  t.teardown(() => { redis.disconnect() })
  return redis
}

async function roleOf (t: Test, server: RedisServer): Promise<string> {
  return String((await connectTo(t, server).role())[0])
}

// Side by side: most of the time they wait for servers.
t.jobs = 3

t.test('master, replica and Sentinels are up in under ten seconds and gone when stopped', async (t) => {
  const began = performance.now()
  const group = await startRedisSentinel()
  const took = performance.now() - began
  t.comment(`up after ${Math.round(took)} ms`)
  t.ok(took < 10_000)
  t.equal(await roleOf(t, await group.master()), 'master')
  t.equal(await roleOf(t, await group.replica()), 'slave')

  await group.stop()

  t.notOk([...group.servers, ...group.guards].some(({ pid }) => isAlive(pid)))
})

t.test('one Sentinel alone tells clients the master, and fails over', async (t) => {
  const group = await ownSentinel(t, { guards: 1 })
  t.equal(group.guards.length, 1)
  const client = connect(t, group)
  await client.set('key', 'before')
  const replica = await group.replica()
  await eventually(async () => await connectTo(t, replica).get('key') === 'before')
  t.equal(await group.failOver(), replica)
  await eventually(async () => await client.set('key', 'after').catch(() => '') === 'OK')
  t.equal(await connectTo(t, replica).get('key'), 'after')
})

t.test('a client finds the master by the Sentinels, and follows a fail-over on an order', async (t) => {
  const group = await ownSentinel(t)
  const [old, replica] = [await group.master(), await group.replica()]
  const client = connect(t, group)
  await client.set('key', 'before')
  t.equal(await connectTo(t, old).get('key'), 'before')

  const promoted = await group.failOver()

  t.equal(promoted, replica)
  t.equal(await group.master(), replica)
  t.equal(await group.replica(), old)
  t.equal(await roleOf(t, promoted), 'master')
  t.equal(await roleOf(t, old), 'slave')
  // The Sentinels disconnect the clients of a master that becomes a replica.
  await eventually(async () => await client.set('key', 'after').catch(() => '') === 'OK')
  t.equal(await connectTo(t, promoted).get('key'), 'after')
})

t.test('a killed master is replaced without being asked for, its client follows, and it comes back as a replica', async (t) => {
  const group = await ownSentinel(t)
  const client = connect(t, group)
  await client.set('key', 'before')
  const old = await group.master()
  await client.wait(1, 1_000)
  const began = performance.now()

  const promoted = await group.failOver('kill')

  t.comment(`promoted after ${Math.round(performance.now() - began)} ms`)
  t.notOk(isAlive(old.pid))
  t.equal(await roleOf(t, promoted), 'master')
  t.equal(await client.get('key'), 'before')

  await old.restart()
  await eventually(async () => await roleOf(t, old) === 'slave')
  t.equal(await group.failOver(), old, 'and can be promoted again')
})

t.test('a frozen master is replaced, and gives way when it is thawed', async (t) => {
  const group = await ownSentinel(t)
  const old = await group.master()
  const promoted = await group.failOver('pause')
  t.not(promoted, old)
  await old.resume()
  await eventually(async () => await roleOf(t, old) === 'slave')
  t.equal(await group.master(), promoted)
})

t.test('two of three Sentinels are enough, and one that was killed comes back', async (t) => {
  const group = await ownSentinel(t)
  await group.guards[0]!.kill()
  const promoted = await group.failOver('kill')
  await group.guards[0]!.restart()
  t.equal(await group.master(), promoted)
})
