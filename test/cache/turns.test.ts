import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { sealTombstone } from '../../plugins/shared/envelope.js'
import { altered, buildApp, buildApps, buildTwo, connect, freshPrefix, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

t.test('a value that is kept again is loaded by one process again', async (t) => {
  const { a, b } = await buildTwo(t, redis)
  await a.cache.getOrSet('a', () => 1, { ttl: 0 })
  await a.cache.getOrSet('a', () => 1, { ttl: '1h' })
  await b.cache.get('a')
  const entries = b.cache.stats().entries
  await a.cache.delete('a')
  // What b began before it has heard of the delete it would not keep, and a would load after it.
  await eventually(() => b.cache.stats().entries === entries - 1)
  const held = gate<string>()
  let loads = 0
  const load = async () => { loads++; return await held.pass() }
  const both = [a.cache.getOrSet('a', load), b.cache.getOrSet('a', load)]
  await held.arrived()
  await new Promise((resolve) => { setTimeout(resolve, 100) })
  held.open('x')
  await Promise.all(both)
  t.equal(loads, 1)
})

t.test('a circle of keys over two processes ends after a lease, not at the hardTimeout', async (t) => {
  const { a, b } = await buildTwo(t, redis, { lease: '300ms' })
  const [inA, inB] = [gate(), gate()]
  const at = performance.now()
  const o = { hardTimeout: '4s' }
  const x = a.cache.getOrSet('x', async () => { await inA.pass(); return await a.cache.getOrSet('y', () => 'y', o) }, o)
  const y = b.cache.getOrSet('y', async () => { await inB.pass(); return await b.cache.getOrSet('x', () => 'x', o) }, o)
  await Promise.all([inA.arrived(), inB.arrived()])
  inA.open()
  inB.open()
  await Promise.allSettled([x, y])
  t.ok(performance.now() - at < 2_000)
})

t.test('nobody goes on asking for a turn when nobody waits any more', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  let takes = 0
  let isBusy = true
  const busy = altered(client, {
    eval: async (...args) => {
      if (String(args[0]).includes("'awaited', 1") && isBusy) {
        takes++
        await client.set(`${prefix}:cache:a`, sealTombstone())
      }
      return await client.eval(...args)
    }
  })
  const a = await buildApp(t, { redis: busy, prefix })
  await trustsMemory(a)
  await t.rejects(a.cache.getOrSet('a', () => 1, { hardTimeout: 200 }))
  const before = takes
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  t.ok(takes - before < 5, `${takes - before} more after that`)
  isBusy = false
})

t.test('one wait for another process is counted once, however often it looks', async (t) => {
  const { a, b } = await buildTwo(t, redis, { lease: 100 })
  const held = gate<string>()
  const here = a.cache.getOrSet('a', held.pass)
  await held.arrived()
  const there = b.cache.getOrSet('a', () => 'by b')
  await new Promise((resolve) => { setTimeout(resolve, 1_000) })
  held.open('by a')
  await Promise.all([here, there])
  t.equal(b.cache.stats().loadsElsewhere, 1)
})

t.test('who asks after a delete does not wait behind loads whose values nobody may keep', async (t) => {
  const { apps: [a, ...others] } = await buildApps(t, 6, redis)
  const held = gate<string>()
  const first = a!.cache.getOrSet('a', held.pass)
  await held.arrived()
  const pause = async () => { await new Promise((resolve) => { setTimeout(resolve, 200) }); return 1 }
  const waiting = others.map((app) => app.cache.getOrSet('a', pause))
  await eventually(() => others.every((app) => app.cache.stats().loadsElsewhere === 1))
  await a!.cache.delete('a')
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  const at = performance.now()
  await a!.cache.getOrSet('a', pause)
  t.ok(performance.now() - at < 500, `${performance.now() - at} ms for a load of 200`)
  await Promise.all(waiting)
  held.open('old')
  await first
})

t.test('a load that asks for its own key fails at once also when messages may have been missed meanwhile', async (t) => {
  const { a, prefix } = await buildTwo(t, redis, { lease: '1m' })
  const outside = await connect(t, redis.url)
  for (const ask of [
    (load: () => Promise<string>) => a.cache.getOrSet('a', load),
    (load: () => Promise<string>) => a.cache.getMany(['a'], { key: (id) => id, load: async () => [await load()] })
  ]) {
    await a.cache.set('in memory', 1)
    await t.rejects(a.cache.getOrSet('a', async () => {
      await outside.publish(`${prefix}:cache`, 'what nobody knows')
      await eventually(() => a.cache.stats().entries === 0)
      return await ask(async () => 'inner')
    }), { code: 'FST_HEADROOM_CACHE_REENTRY' })
  }
})
