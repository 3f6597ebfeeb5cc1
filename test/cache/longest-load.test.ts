import t from 'tap'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { buildApp, connect, freshPrefix } from './build-app.js'
import { stores } from './stores.js'

stayAwake(t)

const redis = await useRedis(t)

/** Calls, and resolves when the load has been aborted as too long. */
async function tooLong (call: (load: (context: { signal: AbortSignal }) => Promise<string>) => Promise<string>, held: ReturnType<typeof gate<string>>): Promise<{ caller: Promise<string>, signal: AbortSignal }> {
  let signal!: AbortSignal
  const caller = call(async (context) => {
    signal = context.signal
    return await held.pass()
  })
  caller.catch(() => {})
  await held.arrived()
  if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
  return { caller, signal }
}

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('a load that takes longer than the longest is aborted; who waits gets what it brings, who comes then a load of its own', async (t) => {
      const { cache } = await store.build(t, { longestLoad: '15ms' })
      const held = gate<string>()
      const { caller, signal } = await tooLong((load) => cache.getOrSet('a', load), held)
      t.match(signal.reason, { name: 'TimeoutError', message: 'The load took longer than 15 ms' })
      t.equal(await cache.getOrSet('a', () => 'own'), 'own')
      held.open('late')
      t.equal(await caller, 'late')
    })

    t.test('what took longer than the longest load never replaces what was loaded since', async (t) => {
      const { cache, clock } = await store.build(t, { longestLoad: '15ms' })
      const held = gate<string>()
      const { caller } = await tooLong((load) => cache.getOrSet('a', load), held)
      clock.milliseconds += 1_000
      t.equal(await cache.getOrSet('a', () => 'newer'), 'newer')
      held.open('older')
      t.equal(await caller, 'older')
      t.equal(await cache.get('a'), 'newer')
      t.equal(await cache.getOrSet('a', () => 'again'), 'newer')
    })

    t.test('a load that heeds the abort fails those who wait with its reason', async (t) => {
      const { cache } = await store.build(t, { longestLoad: '15ms' })
      const held = gate<string>()
      const { caller, signal } = await tooLong((load) => cache.getOrSet('a', load), held)
      held.fail(signal.reason as Error)
      await t.rejects(caller, { name: 'TimeoutError' })
      t.equal(await cache.getOrSet('a', () => 'own'), 'own')
    })

    t.test('a load that never ends holds up nobody who comes after the longest load', async (t) => {
      const { cache } = await store.build(t, { longestLoad: '15ms', hardTimeout: '30ms' })
      const stuck = gate<string>()
      const { caller } = await tooLong((load) => cache.getOrSet('a', load), stuck)
      t.equal(await cache.getOrSet('a', () => 'own'), 'own')
      await t.rejects(caller, { code: 'FST_HEADROOM_CACHE_TIMEOUT' })
      stuck.open('too late')
    })

    if (!store.redis) return

    t.test('what took longer than the longest load does not come to Redis', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const { cache, clock } = await store.build(t, { longestLoad: '15ms', prefix })
      const other = await buildApp(t, { redis: await connect(t, redis.url), prefix, memory: false })
      const held = gate<string>()
      const { caller } = await tooLong((load) => cache.getOrSet('a', load), held)
      clock.milliseconds += 1_000
      held.open('late')
      t.equal(await caller, 'late')
      t.equal(await other.cache.has('a'), false)
    })
  })
}
