import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { EventEmitter } from 'node:events'
import { altered, buildApp, buildTwo, connect, freshPrefix, trustsMemory, type Built } from './build-app.js'

const redis = await useRedis(t)

async function hanging (t: Test) {
  const client = await connect(t, redis.url)
  const state = { hangs: false }
  const pass = async <T>(command: () => Promise<T>): Promise<T> => state.hangs ? await new Promise<never>(() => {}) : await command()
  return {
    state,
    client: altered(client, {
      getBuffer: (key) => pass(() => client.getBuffer(key)),
      mgetBuffer: (...keys) => pass(() => client.mgetBuffer(...keys)),
      eval: (...args) => pass(() => client.eval(...args))
    })
  }
}

/** Each has in its memory, under `a`, what is over and may be given out. */
async function staleInBoth (t: Test, a: Built, b: Built): Promise<void> {
  await a.cache.set('a', 'stale', { ttl: 1_000, stale: '1h' })
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  t.equal(await b.cache.get('a'), 'stale')
  a.clock.milliseconds += 2_000
  b.clock.milliseconds += 2_000
}

const TIMEOUT = 300

for (const what of ['a save', 'a second delete of the key', 'a read of many of which some were not told']) {
  t.test(`${what} waits for one command at most of a Redis that hangs`, async (t) => {
    const { client, state } = await hanging(t)
    const app = await buildApp(t, { redis: client, prefix: freshPrefix(redis.prefix), commandTimeout: TIMEOUT })
    await app.cache.set('warm-up', 1)
    const users = app.cache.resource('user', { load: () => 1, write: 'through', save: () => {} })
    state.hangs = true
    let at = performance.now()
    if (what === 'a save') await users.set(1, 2)
    else if (what === 'a second delete of the key') {
      const first = app.cache.delete('a')
      await Promise.all([first, app.cache.delete('a')])
    } else {
      await app.cache.delete('a')
      at = performance.now()
      await app.cache.getMany(['a', 'b'], { key: (id) => id, load: (ids) => ids })
    }
    const took = performance.now() - at
    t.ok(took < 1.5 * TIMEOUT, `${took} ms`)
  })
}

t.test('a stale value that was deleted is not given out to who asks after that, by a process that is deaf but has asked Redis', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const a = await buildApp(t, { redis: await connect(t, redis.url), prefix })
  await trustsMemory(a)
  const client = await connect(t, redis.url)
  const deafSubscriber = Object.assign(new EventEmitter(), { status: 'ready', connect: async () => {}, subscribe: async () => {}, disconnect () {} })
  const b = await buildApp(t, { redis: altered(client, { duplicate: () => deafSubscriber }), prefix })
  await a.cache.set('a', 'deleted', { ttl: 1_000, staleOnError: '1h' })
  a.clock.milliseconds += 2_000
  b.clock.milliseconds += 2_000
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  const failing = { staleOnError: '1h' }
  const before = b.cache.getOrSet('a', () => { throw new Error('away') }, failing)
  await eventually(() => b.cache.stats().loadsElsewhere >= 1)
  await a.cache.delete('a')
  const after = b.cache.getOrSet('a', () => { throw new Error('away') }, failing)
  await before.catch(() => {})
  await t.rejects(after, { message: 'away' })
  held.open('x')
  await here
})

t.test('a process that ends in good order holds up nobody for the rest of its lease', async (t) => {
  const { a, b } = await buildTwo(t, redis, { lease: '4s' })
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  const there = b.cache.getOrSet('a', () => 'by b')
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  const at = performance.now()
  await a.app.close()
  held.open('by a')
  await here
  await there
  t.ok(performance.now() - at < 1_000, `b waited for ${performance.now() - at} ms`)
})

t.test('an app that closes while a background refresh looks at another process keeps no timer', async (t) => {
  const { a, b } = await buildTwo(t, redis, { lease: '5s' })
  await staleInBoth(t, a, b)
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  t.equal(await b.cache.getOrSet('a', () => 'by b', { stale: '1h' }), 'stale')
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  await b.app.close()
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  held.open('by a')
  await here
  t.equal(timers(), 0)
})

t.test('a refresh is not put off for a lease that has ended', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const a = await buildApp(t, { redis: await connect(t, redis.url), prefix, lease: '5s' })
  await trustsMemory(a)
  const client = await connect(t, redis.url)
  let answered = gate()
  answered.open()
  const slow = altered(client, {
    eval: async (...args) => {
      const answer = await client.eval(...args)
      if (String(args[0]).includes("'awaited', 1")) await answered.pass()
      return answer
    }
  })
  const b = await buildApp(t, { redis: slow, prefix, lease: '5s' })
  await trustsMemory(b)
  await staleInBoth(t, a, b)
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass).catch(() => {})
  await held.arrived()
  answered = gate()
  t.equal(await b.cache.getOrSet('a', () => 'by b', { stale: '1h' }), 'stale')
  await answered.arrived()
  held.fail(new Error('away'))
  await here
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  answered.open()
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  const at = performance.now()
  await eventually(async () => await b.cache.getOrSet('a', () => 'by b', { stale: '1h' }) === 'by b', 8_000)
  t.ok(performance.now() - at < 1_000, `the refresh came after ${performance.now() - at} ms`)
})
