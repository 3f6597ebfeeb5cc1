import t, { type Test } from 'tap'
import { runApp, type AppProcess } from '../helpers/app-process.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { isSoak } from '../helpers/soak.js'
import { altered, buildApp, buildTwo, connect, freshPrefix, heard, trustsMemory } from './build-app.js'
import type { Said, Told } from './fixtures/one-of-many.js'
import { fixture } from '../helpers/project.js'

const redis = await useRedis(t)

async function processes (t: Test, count: number, lease: string): Promise<{ apps: AppProcess[], prefix: string }> {
  const prefix = freshPrefix(redis.prefix)
  const env = { REDIS_URL: redis.url, PREFIX: prefix, LEASE: lease }
  const apps = await Promise.all(Array.from({ length: count }, () => runApp(t, fixture('./fixtures/one-of-many.ts', import.meta.url), { env })))
  await heard(await connect(t, redis.url), prefix, count)
  return { apps, prefix }
}

async function said (app: AppProcess, key: string): Promise<Said> {
  let found: Said | undefined
  await eventually(() => {
    found = (app.messages() as Said[]).find((message) => message.key === key)
    return found !== undefined
  })
  return found!
}

t.test('of a thousand concurrent misses in four processes one loads, and all are answered as soon as it has', async (t) => {
  const { apps, prefix } = await processes(t, 4, '3s')
  const client = await connect(t, redis.url)
  const p99s: number[] = []
  for (let n = 0; n < (isSoak ? 10 : 3); n++) {
    const round = `round ${n}`
    const load = `${prefix}:${round}`
    for (const app of apps) app.send({ key: round, times: 250, load, lasts: 300 } satisfies Told)
    const outcomes = await Promise.all(apps.map((app) => said(app, round)))
    const by = Number((await client.lrange(load, 0, -1)).join())
    t.ok(apps.some(({ pid }) => pid === by), 'one load, in one of them')
    t.equal(outcomes.reduce((sum, { loads }) => sum + loads, 0), 1)
    t.ok(outcomes.every(({ values }) => values.length === 250 && values.every((value) => (value as { by: number }).by === by)))
    const ended = outcomes.find(({ ended }) => ended !== undefined)!.ended!
    const waits = outcomes.flatMap(({ answered }) => answered.map((at) => at - ended)).sort((a, b) => a - b)
    p99s.push(waits[989]!)
  }
  t.comment(`p99 of the waits after the end of the load: ${p99s.join(', ')} ms`)
  // Of five processes on two cores: the best round is the one that others on the machine took the least from.
  t.ok(Math.min(...p99s) <= (isSoak ? 10 : 100))
})

t.test('when the process that loads is killed, another one does after the lease, and all are answered', async (t) => {
  const { apps, prefix } = await processes(t, 3, '500ms')
  const client = await connect(t, redis.url)
  const load = `${prefix}:load`
  apps[0]!.send({ key: 'a', times: 1, load, lasts: 60_000 } satisfies Told)
  await eventually(async () => await client.llen(load) === 1)
  const others = apps.slice(1)
  for (const app of others) app.send({ key: 'a', times: 100, load, lasts: 10 } satisfies Told)
  await eventually(async () => await client.hget(`${prefix}:cache-lease:{${prefix}:cache:a}`, 'awaited') === '1')
  const killed = Date.now()
  await apps[0]!.kill()
  const outcomes = await Promise.all(others.map((app) => said(app, 'a')))
  t.equal(await client.llen(load), 2, 'one more load')
  t.equal(new Set(outcomes.flatMap(({ values }) => values.map((value) => (value as { by: number }).by))).size, 1)
  const longest = Math.max(...outcomes.flatMap(({ answered }) => answered)) - killed
  t.ok(longest < 2_000, `${longest} ms after the end of its holder`)
})

t.test('who waits for another process is woken by its message, and does not poll', async (t) => {
  const { a, b, prefix } = await buildTwo(t, redis, { lease: '1m' })
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  let commands = 0
  const client = await connect(t, redis.url)
  const counting = altered(client, {
    eval: async (...args) => {
      commands++
      return await client.eval(...args)
    }
  })
  const c = await buildApp(t, { redis: counting, prefix, lease: '1m' })
  await trustsMemory(c)
  commands = 0
  const [fromB, fromC] = [b.cache.getOrSet('a', () => 'by b'), c.cache.getOrSet('a', () => 'by c')]
  await eventually(() => commands === 1)
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  t.equal(commands, 1)
  held.open('by a')
  t.strictSame(await Promise.all([here, fromB, fromC]), ['by a', 'by a', 'by a'])
  t.equal(b.cache.stats().loadsElsewhere, 1)
})

t.test('a load that throws fails its own callers only: the next process tries for itself', async (t) => {
  const { a, b } = await buildTwo(t, redis)
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  const there = b.cache.getOrSet('a', () => 'by b')
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  held.fail(new Error('away'))
  await t.rejects(here, { message: 'away' })
  t.equal(await there, 'by b')
})

t.test('values that are not to be kept are loaded side by side, not one after the other', async (t) => {
  const { a, b } = await buildTwo(t, redis)
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass, { ttl: 0 })
  await held.arrived()
  const there = b.cache.getOrSet('a', () => 'by b', { ttl: 0 })
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  held.open('by a')
  t.strictSame(await Promise.all([here, there]), ['by a', 'by b'])
  const again = gate<string>()
  const slow = a.cache.getOrSet('a', again.pass, { ttl: 0 })
  await again.arrived()
  t.equal(await b.cache.getOrSet('a', () => 'at once', { ttl: 0 }), 'at once')
  again.open('late')
  await slow
})

t.test('a renewal in the background takes its turn or leaves it: one process loads anew', async (t) => {
  const { a, b } = await buildTwo(t, redis)
  const options = { ttl: '10s', stale: '1h' } as const
  await a.cache.getOrSet('a', () => 'old', options)
  t.equal(await b.cache.getOrSet('a', () => 'never', options), 'old')
  a.clock.milliseconds += 11_000
  b.clock.milliseconds += 11_000
  const held = gate<string>()
  t.equal(await a.cache.getOrSet('a', held.pass, options), 'old')
  await held.arrived()
  t.equal(await b.cache.getOrSet('a', () => 'a second load', options), 'old')
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  held.open('new')
  await eventually(async () => await a.cache.get('a') === 'new')
  t.equal(b.cache.stats().loads, 0)
})

t.test('who asks after a delete, a set or an invalidation does not wait for a load that began before it, in whichever process', async (t) => {
  const { a, b } = await buildTwo(t, redis)
  for (const [key, change] of [
    ['deleted', () => b.cache.delete('deleted')],
    ['invalidated', () => b.cache.invalidateTags('tag')],
    ['cleared', () => b.cache.clear()]
  ] as const) {
    const held = gate<string>()
    const before = a.cache.getOrSet(key, held.pass, { tags: ['tag'] })
    await held.arrived()
    await change()
    t.equal(await b.cache.getOrSet(key, () => 'after', { tags: ['tag'] }), 'after', key)
    held.open('before')
    t.equal(await before, 'before')
    await eventually(async () => await a.cache.get(key) === 'after')
  }
})

t.test('a process that was paused until its lease had ended overwrites nothing', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const a = await buildApp(t, { redis: client, prefix, lease: '1m' })
  const b = await buildApp(t, { redis: await connect(t, redis.url), prefix, lease: '1m' })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  const [old, young] = [gate<string>(), gate<string>()]
  const before = a.cache.getOrSet('a', old.pass)
  await old.arrived()
  // As time does, when nobody renews it.
  await client.del(`${prefix}:cache-lease:{${prefix}:cache:a}`)
  const after = b.cache.getOrSet('a', young.pass)
  await young.arrived()
  old.open('old')
  t.equal(await before, 'old')
  young.open('young')
  t.equal(await after, 'young')
  t.equal(await b.cache.get('a'), 'young')
  await eventually(async () => await a.cache.get('a') === 'young')
})

t.test('with Redis away each process loads for itself, at once', async (t) => {
  const { a, b } = await buildTwo(t, redis, { lease: false })
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  t.equal(await b.cache.getOrSet('a', () => 'by b'), 'by b', 'nor where no turns are taken')
  held.open('by a')
  await here
  const away = await buildApp(t, { redis: altered(await connect(t, redis.url), { status: 'close' }), prefix: freshPrefix(redis.prefix) })
  t.equal(await away.cache.getOrSet('a', () => 'loaded'), 'loaded')
})

t.test('a batch loads what is its turn at once, and waits for the rest', async (t) => {
  const { a, b } = await buildTwo(t, redis)
  const held = gate<string>()
  const here = a.cache.getOrSet('user:2', held.pass)
  await held.arrived()
  const asked: number[][] = []
  const there = b.cache.getMany([1, 2, 3], {
    key: (id) => `user:${id}`,
    load: (ids) => {
      asked.push(ids)
      return ids.map((id) => `user ${id} by b`)
    }
  })
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  held.open('user 2 by a')
  await here
  t.strictSame(await there, ['user 1 by b', 'user 2 by a', 'user 3 by b'])
  t.strictSame(asked, [[1, 3]])
})
