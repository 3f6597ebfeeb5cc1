import { Cluster, type Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { ABSENT, sealTombstone, stampOf } from '../../plugins/shared/envelope.js'
import type { RedisClient } from '../../plugins/shared/redis-client.js'
import { RedisCommands } from '../../plugins/shared/redis-commands.js'
import { RedisLeases, type Lease, type LeaseAnswer } from '../../plugins/shared/redis-leases.js'
import { connect, freshPrefix } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { useCluster, useRedis } from '../helpers/redis.js'

const redis = await useRedis(t)
const cluster = await useCluster(t)

type Client = RedisClient & Pick<Redis, 'set' | 'rpush' | 'del' | 'pttl' | 'exists' | 'quit'>

const topologies: Array<{ name: string, open: (t: Test) => Promise<Client>, hear: (t: Test) => Promise<Redis> }> = [
  { name: 'stand-alone', open: (t) => connect(t, redis.url), hear: (t) => connect(t, redis.url) },
  {
    name: 'Cluster',
    async open (t) {
      const client = new Cluster(cluster)
      t.teardown(() => client.disconnect())
      await new Promise((resolve) => client.once('ready', resolve))
      return client
    },
    hear: (t) => connect(t, `redis://127.0.0.1:${cluster[0]!.port}`)
  }
]

for (const { name, open, hear } of topologies) {
  t.test(name, async (t) => {
    const client = await open(t)

    function build (duration = 60_000, commands = new RedisCommands({ client, timeout: 10_000 })) {
      const prefix = freshPrefix(redis.prefix)
      const channel = `${prefix}:channel`
      const leases = new RedisLeases({ commands, duration, channel })
      const guarded = (key: string): string => `${prefix}:${key}`
      const keyOf = (key: string): string => `${prefix}:lease:{${guarded(key)}}`
      const ask = (key: string, stamp: Buffer = ABSENT) => ({ key: keyOf(key), guarded: guarded(key), stamp })
      const take = async (key: string, stamp?: Buffer, basis: Record<string, string> = {}): Promise<LeaseAnswer> =>
        (await leases.take([ask(key, stamp)], Object.entries(basis).map(([tag, generation]) => ({ tag, generation }))))[0]!
      return { leases, channel, guarded, keyOf, ask, take }
    }

    function own (answer: LeaseAnswer): Lease {
      if (answer.kind !== 'own') throw new Error(`expected a lease of one's own, got ${answer.kind}`)
      return answer.lease
    }

    t.test('one of all who ask has the lease, and the others know how long to wait', async (t) => {
      const { take } = build()
      const answers = await Promise.all(Array.from({ length: 20 }, () => take('a')))
      t.equal(answers.filter(({ kind }) => kind === 'own').length, 1)
      for (const answer of answers) if (answer.kind !== 'own') t.ok(answer.kind === 'held' && answer.left > 0 && answer.left <= 60_000)
    })

    t.test('when it is released, the next one has it, and those who wait are told', async (t) => {
      const { leases, take, channel, keyOf } = build()
      const subscriber = await hear(t)
      const heard: string[] = []
      subscriber.on('message', (_channel: string, message: string) => { heard.push(message) })
      await subscriber.subscribe(channel)
      const [a, b] = [own(await take('a')), own(await take('b'))]
      t.equal((await take('a')).kind, 'held')
      await leases.release([a, b], ({ key }) => `end of ${key}`)
      t.equal((await take('a')).kind, 'own')
      t.equal((await take('b')).kind, 'own')
      await eventually(() => heard.length > 0)
      t.strictSame(heard, [`end of ${keyOf('a')}`], 'nobody waits for b')
    })

    t.test('one that is not renewed ends, and its holder cannot end the one after it', async (t) => {
      const { leases, take, keyOf } = build(100)
      const first = own(await take('a'))
      await eventually(async () => await client.exists(keyOf('a')) === 0)
      const second = own(await take('a'))
      t.not(second.token, first.token)
      await leases.renew([first])
      await leases.release([first], () => 'nothing')
      t.equal((await take('a')).kind, 'held')
    })

    t.test('one that is renewed lasts', async (t) => {
      const { leases, take, keyOf } = build(60_000)
      const lease = own(await take('a'))
      const brief = new RedisLeases({ commands: new RedisCommands({ client, timeout: 10_000 }), duration: 1_000, channel: 'none' })
      await brief.renew([lease])
      t.ok(await client.pttl(keyOf('a')) <= 1_000)
      await leases.renew([lease])
      t.ok(await client.pttl(keyOf('a')) > 50_000)
    })

    t.test('those of an app that closes end before its client does, however long ago that asked its server for the time', async (t) => {
      const closing = await open(t)
      let now = 0
      const commands = new RedisCommands({ client: closing, timeout: 10_000, now: () => now })
      const { leases, ask, keyOf } = build(60_000, commands)
      const owned = (await leases.take(['a', 'b', 'c', 'd'].map((key) => ask(key)), [])).map(own)
      now += 60 * 60 * 1_000
      const released = leases.release(owned, () => 'nothing')
      commands.close()
      await closing.quit()
      await t.resolves(released)
      for (const key of ['a', 'b', 'c', 'd']) t.equal(await client.exists(keyOf(key)), 0)
    })

    t.test('nobody has it when what it is for has been done', async (t) => {
      const { take, guarded } = build()
      const tombstone = sealTombstone()
      await client.set(guarded('a'), tombstone)
      t.equal((await take('a')).kind, 'changed')
      t.equal((await take('a', stampOf(tombstone))).kind, 'own')
    })

    t.test('who works on another generation of a tag takes over; other tags, or in another order, do not matter', async (t) => {
      const { leases, take } = build()
      const older = own(await take('a', ABSENT, { x: 'old', y: 'y' }))
      for (const basis of [{ x: 'old', y: 'y' }, { y: 'y', x: 'old' }, { x: 'old' }, { z: 'z' }, {}]) t.equal((await take('a', ABSENT, basis)).kind, 'held')
      own(await take('a', ABSENT, { z: 'z', x: 'new' }))
      await leases.release([older], () => 'nothing')
      for (const basis of [{ x: 'new' }, { y: 'any' }]) t.equal((await take('a', ABSENT, basis)).kind, 'held')
      own(await take('a', ABSENT, { z: 'newer' }))
    })

    t.test('work on any number of tags can have a lease, and loses it to who works on another generation of any of them', async (t) => {
      const { take } = build()
      const basis = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`tag ${n}`, 'old']))
      own(await take('a', ABSENT, basis))
      t.equal((await take('a', ABSENT, basis)).kind, 'held')
      for (const tag of ['tag 0', 'tag 4999', 'tag 9999']) own(await take('a', ABSENT, { ...basis, [tag]: 'new' }))
    })

    t.test('what stands in the place of a lease, or of what it is for, and is of another type gives way', async (t) => {
      const { leases, ask, guarded, keyOf, take } = build()
      await client.rpush(guarded('a'), 'x')
      await client.rpush(keyOf('b'), 'x')
      await client.set(keyOf('c'), 'x')
      const answers = await leases.take(['before', 'a', 'b', 'c', 'behind'].map((key) => ask(key)), [{ tag: 'x', generation: 'x' }])
      const owned = answers.map(own)
      t.ok(await client.pttl(keyOf('b')) > 0)
      for (const key of ['before', 'a', 'b', 'c', 'behind']) t.equal((await take(key)).kind, 'held')
      await client.del(keyOf('b'))
      await client.rpush(keyOf('b'), 'x')
      await leases.renew(owned)
      await leases.release(owned, () => 'nothing')
      for (const key of ['before', 'a', 'b', 'c', 'behind']) t.equal((await take(key)).kind, 'own')
    })

    t.test('who waits for a lease that is taken over is told of the end of the one in its place', async (t) => {
      const { leases, take, channel } = build()
      const subscriber = await hear(t)
      const heard: string[] = []
      subscriber.on('message', (_channel: string, message: string) => { heard.push(message) })
      await subscriber.subscribe(channel)
      own(await take('a', ABSENT, { x: 'old' }))
      t.equal((await take('a', ABSENT, { y: 'y' })).kind, 'held')
      const later = own(await take('a', ABSENT, { x: 'new' }))
      await leases.release([later], () => 'the end')
      await eventually(() => heard.length > 0)
      t.strictSame(heard, ['the end'])
    })

    t.test('a lease of a fraction of a millisecond more is one that ends', async (t) => {
      const { leases, take, keyOf } = build(1_000.5)
      const lease = own(await take('a'))
      t.ok(await client.pttl(keyOf('a')) > 0)
      await leases.renew([lease])
      t.ok(await client.pttl(keyOf('a')) > 0)
    })

    t.test('several are asked for at once, each answered for itself, in the order asked', async (t) => {
      const { leases, ask, take } = build()
      await take('b')
      const kinds = (await leases.take(['a', 'b', 'c'].map((key) => ask(key)), [])).map(({ kind }) => kind)
      t.strictSame(kinds, ['own', 'held', 'own'])
      const many = Array.from({ length: 450 }, (_, n) => ask(`many ${n}`))
      t.ok((await leases.take(many, [])).every(({ kind }) => kind === 'own'))
      t.ok((await leases.take(many, [])).every(({ kind }) => kind === 'held'))
    })
  })
}
