import { Cluster } from 'ioredis'
import t, { type Test } from 'tap'
import { SHARDS, shardKeys, shardOf } from '../../plugins/write-behind/keys.js'
import { payloadOf, writeOf } from '../../plugins/write-behind/record.js'
import { FencedError, WriteLog } from '../../plugins/write-behind/write-log.js'
import type { RedisClient } from '../../plugins/shared/redis-client.js'
import { RedisCommands } from '../../plugins/shared/redis-commands.js'
import { connect, freshPrefix } from '../cache/build-app.js'
import { useCluster, useRedis } from '../helpers/redis.js'

const redis = await useRedis(t)
const cluster = await useCluster(t)

const topologies: Array<{ name: string, open: (t: Test) => Promise<RedisClient> }> = [
  { name: 'stand-alone', open: (t) => connect(t, redis.url) },
  {
    name: 'Cluster',
    async open (t) {
      const client = new Cluster(cluster)
      t.teardown(() => { client.disconnect() })
      await new Promise((resolve) => client.once('ready', resolve))
      return client
    }
  }
]

const payload = (value: unknown, id: string | number = 'id'): Buffer => payloadOf(id, value) as Buffer

for (const { name, open } of topologies) {
  t.test(name, async (t) => {
    const client = await open(t)

    function build ({ limit = 1_000, prefix = freshPrefix(redis.prefix) } = {}) {
      const log = new WriteLog({ commands: new RedisCommands({ client, timeout: 10_000 }), prefix, name: 'views', channel: `${prefix}:write-behind`, limit })
      const shard = shardOf('id')
      const enqueue = async (value: unknown, id = 'id'): Promise<number | undefined> => (await log.enqueue(shardOf(id), [{ id, payload: payload(value, id) }]))[0]?.version
      const values = async (token: string, cursor = '0') => (await log.claim(shard, token, { cursor, count: 100, delay: 0 })).claims.map(({ id, record }) => writeOf(id, record).value)
      return { log, prefix, shard, enqueue, values }
    }

    t.test('a write waits with the types of its value and of its id, and one after it takes its place under a higher version', async (t) => {
      const { log, enqueue } = build()
      const born = new Date(0)
      const first = await enqueue({ born, big: 1n })
      t.strictSame((await log.pending(shardOf('id'), ['id']))[0], { id: 'id', value: { born, big: 1n }, version: first })
      const second = await enqueue('newer')
      t.ok(second! > first!)
      t.strictSame((await log.pending(shardOf('id'), ['id']))[0], { id: 'id', value: 'newer', version: second })
      await log.enqueue(shardOf('7'), [{ id: '7', payload: payload('seven', 7) }])
      t.match((await log.pending(shardOf('7'), ['7']))[0], { id: 7, value: 'seven' })
      t.equal((await log.pending(shardOf('nothing'), ['nothing']))[0], undefined)
    })

    t.test('several writes of one id are one to save: the last', async (t) => {
      const { log, shard, enqueue } = build()
      t.equal(await log.tend(shard, 'me', 10_000, 'take'), 0)
      for (let value = 0; value < 10; value++) await enqueue(value)
      const { claims } = await log.claim(shard, 'me', { cursor: '0', count: 100, delay: 0 })
      t.equal(claims.length, 1)
      t.equal(writeOf('id', claims[0]!.record).value, 9)
      t.equal(await log.acknowledge(shard, 'me', claims), 0)
      t.strictSame([(await log.pending(shardOf('id'), ['id']))[0], await log.tend(shard, 'me', 10_000, 'renew')], [undefined, 0])
    })

    t.test('one that comes while the one before it is saved is not lost with that, and waits behind the others', async (t) => {
      const { log, shard, enqueue, values } = build()
      await log.tend(shard, 'me', 10_000, 'take')
      await enqueue('old')
      const { claims, cursor } = await log.claim(shard, 'me', { cursor: '0', count: 100, delay: 0 })
      await enqueue('new')
      t.equal(await log.acknowledge(shard, 'me', claims), 1)
      t.match((await log.pending(shardOf('id'), ['id']))[0], { value: 'new' })
      t.strictSame(await values('me', cursor), ['new'])
    })

    t.test('acknowledged twice, as by a client that has lost the connection, it changes nothing', async (t) => {
      const { log, shard, enqueue, values } = build()
      await log.tend(shard, 'me', 10_000, 'take')
      await enqueue('old')
      const { claims } = await log.claim(shard, 'me', { cursor: '0', count: 100, delay: 0 })
      await enqueue('new')
      await log.acknowledge(shard, 'me', claims)
      await log.acknowledge(shard, 'me', claims)
      t.strictSame(await values('me'), ['new'])
    })

    t.test('an owner whose lease has ended reads nothing, acknowledges nothing and gives up nothing', async (t) => {
      const { log, shard, enqueue } = build()
      await log.tend(shard, 'me', 10_000, 'take')
      await enqueue('mine')
      const { claims } = await log.claim(shard, 'me', { cursor: '0', count: 100, delay: 0 })
      await log.release(shard, 'me')
      t.equal(await log.tend(shard, 'other', 10_000, 'take'), 1)
      t.equal(await log.tend(shard, 'me', 10_000, 'take'), undefined)
      await t.rejects(log.claim(shard, 'me', { cursor: '0', count: 100, delay: 0 }), FencedError)
      await t.rejects(log.reclaim(shard, 'me', claims), FencedError)
      await t.rejects(log.acknowledge(shard, 'me', claims), FencedError)
      await t.rejects(log.fail(shard, 'me', claims.map((one) => ({ ...one, tries: 1 }))), FencedError)
      await log.release(shard, 'me')
      t.equal(await log.tend(shard, 'other', 10_000, 'take'), 1, 'nor does it end the lease of the other')
    })

    t.test('a lease that has ended is not renewed, and can be taken', async (t) => {
      const { log, shard } = build()
      t.equal(await log.tend(shard, 'me', 10_000, 'renew'), undefined)
      t.equal(await log.tend(shard, 'me', 10_000, 'take'), 0)
      t.equal(await log.tend(shard, 'me', 10_000, 'renew'), 0)
      t.equal(await log.tend(shard, 'me', 10_000, 'take'), 0, 'also when the answer to that was lost')
      t.equal(await log.tend(shard, 'other', 10_000, 'take'), undefined)
    })

    t.test('what has failed too often lies with the dead, alone, and what has come since waits on', async (t) => {
      const { log, shard, enqueue, values } = build()
      const ids = Array.from({ length: 1_000 }, (_, index) => `id ${index}`).filter((id) => shardOf(id) === shard).slice(0, 3)
      await log.tend(shard, 'me', 10_000, 'take')
      for (const id of ids) await enqueue(id, id)
      const { claims } = await log.claim(shard, 'me', { cursor: '0', count: 100, delay: 0 })
      await enqueue('newer', ids[1])
      t.strictSame(await log.fail(shard, 'me', claims.map((one) => ({ ...one, tries: one.tries + 1 }))), ['again', 'overtaken', 'again'])
      t.strictSame((await log.reclaim(shard, 'me', claims)).map((record) => record !== undefined), [true, false, true], 'what has come since stands in another place')
      t.strictSame((await log.claim(shard, 'me', { cursor: '0', count: 100, delay: 0 })).claims.map(({ id, tries }) => [id, tries]).sort(), [[ids[0], 1], [ids[1], 0], [ids[2], 1]].sort())
      await log.fail(shard, 'me', claims.slice(0, 2).map((one) => ({ ...one, tries: 2, dead: 'refused' })))
      t.strictSame((await values('me')).sort(), [ids[2], 'newer'].sort())
      t.match(await log.depth(shard), { waiting: 2, dead: 1 })
      t.strictSame(await log.fail(shard, 'me', claims.slice(0, 1).map((one) => ({ ...one, tries: 2, dead: 'refused' }))), ['dead'], 'also when the answer to that was lost')
      t.match(await log.depth(shard), { waiting: 2, dead: 1 })
    })

    t.test('a shard that is full takes newer values of what waits in it, and no more ids', async (t) => {
      const { log, enqueue } = build({ limit: 1 })
      const other = Array.from({ length: 1_000 }, (_, index) => `id ${index}`).find((id) => shardOf(id) === shardOf('id'))!
      await enqueue('first')
      t.equal(await enqueue('no room', other), undefined)
      t.type(await enqueue('second'), 'number')
      t.strictSame(await log.pending(shardOf(other), [other]), [undefined])
    })

    t.test('versions rise also when all that Redis had is lost', async (t) => {
      const { log, prefix, enqueue } = build()
      const before = await enqueue('before')
      const { version, records, queue } = shardKeys(prefix, 'views', shardOf('id'))
      const set = client as unknown as { set (key: string, value: string): Promise<unknown>, del (...keys: string[]): Promise<unknown> }
      // As of a server whose clock was ahead.
      await set.set(version, String(before! + 10_000_000))
      const ahead = await enqueue('ahead')
      t.equal(ahead, before! + 10_000_001)
      for (const key of [version, records, queue]) await set.del(key)
      t.equal((await log.pending(shardOf('id'), ['id']))[0], undefined)
      t.ok((await enqueue('after') ?? 0) > (ahead ?? Infinity))
    })

    t.test('it is known how many wait, and for how long', async (t) => {
      const { log, shard, enqueue } = build()
      t.strictSame(await log.depth(shard), { waiting: 0, lag: 0, dead: 0 })
      await enqueue(1)
      await new Promise((resolve) => { setTimeout(resolve, 20) })
      const { waiting, lag } = await log.depth(shard)
      t.equal(waiting, 1)
      t.ok(lag >= 15, `${lag} ms`)
    })
  })
}

t.test('ids are spread over all shards', async (t) => {
  const counts = new Array<number>(SHARDS).fill(0)
  for (let id = 0; id < 16_000; id++) counts[shardOf(String(id))]!++
  t.ok(Math.min(...counts) > 800 && Math.max(...counts) < 1_200, counts.join(' '))
})
