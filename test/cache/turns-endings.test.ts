import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { altered, buildApp, buildApps, buildTwo, connect, freshPrefix, trustsMemory, type Built } from './build-app.js'
import { watchTimers } from './timers.js'

const redis = await useRedis(t)

interface Others {
  a: Built
  refuseWrites: () => void
}

/** Each has in its memory, under `a`, what is over and may be given out. */
async function staleInBoth (t: Test, a: Built, b: Built): Promise<void> {
  await a.cache.set('a', 'stale', { ttl: 1_000, stale: '1h' })
  await delay(50)
  t.equal(await b.cache.get('a'), 'stale')
  a.clock.milliseconds += 2_000
  b.clock.milliseconds += 2_000
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

for (const [what, end] of [
  ['the only caller of the process that loads gives up', (_a: Built, leave: AbortController) => { leave.abort() }],
  ['the process that loads is closed', (a: Built) => a.app.close()]
] as const) {
  t.test(`when ${what}, one of the others loads, and not all of them`, async (t) => {
    const { apps: [a, ...others] } = await buildApps(t, 5, redis, { lease: '1m' })
    const [leave, held] = [new AbortController(), gate<string>()]
    const here = a!.cache.getOrSet('a', async ({ signal }) => await Promise.race([
      held.pass(),
      new Promise<string>((_resolve, reject) => { signal.addEventListener('abort', () => { reject(new Error('left')) }) })
    ]), { signal: leave.signal }).catch(() => {})
    await held.arrived()
    let loads = 0
    const next = gate<string>()
    const there = others.map(({ cache }) => cache.getOrSet('a', async () => {
      loads++
      return await next.pass()
    }))
    await eventually(() => others.every(({ cache }) => cache.stats().loadsElsewhere === 1))
    await end(a!, leave)
    await next.arrived()
    // In which all the others would have come, too.
    await delay(200)
    next.open('loaded')
    t.strictSame(await Promise.all(there), ['loaded', 'loaded', 'loaded', 'loaded'])
    t.equal(loads, 1)
    held.open('late')
    await here
  })
}

for (const [what, spoil] of [
  ['a tag of it was invalidated in the load', async ({ a }: Others) => { await a.cache.invalidateTags('tag') }],
  ['Redis refuses to write it', ({ refuseWrites }: Others) => { refuseWrites() }]
] as const) {
  t.test(`where a value is not kept because ${what}, all of the others load at once, and not each after the one before it`, async (t) => {
    const prefix = freshPrefix(redis.prefix)
    const client = await connect(t, redis.url)
    let refuses = false
    const picky = altered(client, {
      eval: async (script, ...args) => {
        if (refuses && script.includes('local written')) throw Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' })
        return await client.eval(script, ...args)
      }
    })
    const a = await buildApp(t, { redis: picky, prefix, lease: '1m' })
    const others = await Promise.all(Array.from({ length: 4 }, async () => await buildApp(t, { redis: await connect(t, redis.url), prefix, lease: '1m' })))
    await Promise.all([a, ...others].map(trustsMemory))
    const [held, next] = [gate<string>(), gate<string>()]
    const here = a.cache.getOrSet('a', async ({ tags }) => {
      tags('tag')
      return await held.pass()
    })
    await held.arrived()
    const there = others.map(({ cache }) => cache.getOrSet('a', next.pass))
    await eventually(() => others.every(({ cache }) => cache.stats().loadsElsewhere === 1))
    await spoil({ a, refuseWrites: () => { refuses = true } })
    held.open('not kept')
    t.equal(await here, 'not kept')
    await next.arrived(4)
    next.open('loaded')
    t.strictSame(await Promise.all(there), ['loaded', 'loaded', 'loaded', 'loaded'])
  })
}

t.test('that Redis found a command late ends nobody\'s wait for another process', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const a = await buildApp(t, { redis: await connect(t, redis.url), prefix })
  const client = await connect(t, redis.url)
  let isLate = false
  const b = await buildApp(t, { redis: altered(client, { eval: async (...args) => isLate ? -1 : await client.eval(...args) }), prefix })
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  const there = b.cache.getOrSet('a', () => 'by b')
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  isLate = true
  t.strictSame(await b.cache.delete('another'), { shared: false })
  isLate = false
  held.open('by a')
  t.strictSame(await Promise.all([here, there]), ['by a', 'by a'])
})

t.test('an app that closes while a background refresh looks at another process keeps no timer', async (t) => {
  const timers = watchTimers(t)
  const { a, b } = await buildTwo(t, redis, { lease: '5s' })
  await staleInBoth(t, a, b)
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  t.equal(await b.cache.getOrSet('a', () => 'by b', { stale: '1h' }), 'stale')
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  await Promise.all([a.app.close(), b.app.close()])
  held.open('by a')
  await here
  // The release of the lease is still on its way.
  await t.resolves(eventually(async () => await timers() === 0))
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
  await delay(50)
  answered.open()
  await eventually(() => b.cache.stats().loadsElsewhere === 1)
  const at = performance.now()
  await eventually(async () => await b.cache.getOrSet('a', () => 'by b', { stale: '1h' }) === 'by b', 8_000)
  t.ok(performance.now() - at < 1_000, `the refresh came after ${performance.now() - at} ms`)
})
