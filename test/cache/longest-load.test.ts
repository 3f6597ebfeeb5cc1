import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { freshPrefix } from './build-app.js'
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
      const { cache } = await store.build(t, { longestLoad: '15ms', hardTimeout: '300ms' })
      const stuck = gate<string>()
      const { caller } = await tooLong((load) => cache.getOrSet('a', load), stuck)
      t.equal(await cache.getOrSet('a', () => 'own'), 'own')
      await t.rejects(caller, { code: 'FST_HEADROOM_CACHE_TIMEOUT' })
      stuck.open('too late')
    })

    t.test('a stale value is given out before the load has taken longer than the longest, or not at all: never once it is deleted', async (t) => {
      const { cache, clock } = await store.build(t, { longestLoad: '15ms' })
      const rules = { ttl: '1s', staleOnError: '1h' }
      await cache.set('a', 'old', rules)
      clock.milliseconds += 2_000
      const order: string[] = []
      const held = gate<string>()
      const { caller } = await tooLong((load) => cache.getOrSet('a', load, rules), held)
      const outcome = caller.then((value) => { order.push(`given the ${value} one`) }, (error: Error) => { order.push(error.message) })
      await new Promise((resolve) => { setImmediate(resolve) })
      await cache.delete('a')
      order.push('deleted')
      held.fail(new Error('source away'))
      await outcome
      t.strictSame(order, ['given the old one', 'deleted'])
    })

    t.test('a refresh that takes longer than the longest load leaves nothing older behind', async (t) => {
      const { cache } = await store.build(t, { longestLoad: '15ms' })
      let load = async (_context: { signal: AbortSignal }): Promise<string> => 'old'
      const users = cache.resource('user', { load: async (_id: number, context) => await load(context), ttl: '1h' })
      t.equal(await users.get(1), 'old')
      const held = gate<string>()
      const { caller } = await tooLong(async (slow) => {
        load = slow
        return await users.refresh(1)
      }, held)
      t.equal(await users.get(1), 'old', 'which is fresh, while the new one is not there')
      held.open('new')
      t.equal(await caller, 'new')
      t.equal(await cache.has('user:1'), false)
      t.equal(await users.get(1), 'new')
    })

    t.test('a save that never ends holds up the next one of its id for the longest load, and no longer', async (t) => {
      const { cache } = await store.build(t, { longestLoad: '15ms' })
      const stuck = gate()
      const begun: string[] = []
      let source = 'old'
      const users = cache.resource<string, number>('user', {
        load: () => source,
        write: 'through',
        save: async (_id, value) => {
          begun.push(value)
          if (value === 'first') await stuck.pass()
          source = value
        }
      })
      const first = users.set(1, 'first')
      await stuck.arrived()
      const second = users.set(1, 'second')
      t.strictSame(begun, ['first'])
      t.not(await Promise.race([second, delay(5_000, 'hangs', { ref: false })]), 'hangs')
      t.strictSame(begun, ['first', 'second'])
      t.match(await cache.get('user:1') ?? 'deleted', /^(second|deleted)$/)
      t.equal(await users.get(1), 'second')
      stuck.open()
      await first
      t.equal(source, 'first')
      t.equal(await users.get(1), 'first', 'which the source took last: whoever asks has what it has')
    })

    if (!store.redis) return

    t.test('a refresh that took longer than the longest load takes the old value from other processes too', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const [here, there] = [await store.build(t, { longestLoad: '10s', prefix }), await store.build(t, { longestLoad: '10s', prefix })]
      let source = 'old'
      const users = here.cache.resource('user', { ttl: '1h', load: (_id: number) => { if (source === 'new') here.clock.milliseconds += 10_001; return source } })
      const others = there.cache.resource('user', { ttl: '1h', load: (_id: number) => source })
      t.strictSame([await users.get(1), await others.get(1)], ['old', 'old'])
      source = 'new'
      t.equal(await users.refresh(1), 'new')
      t.equal(await here.cache.get('user:1'), undefined)
      await t.resolves(eventually(async () => await others.get(1) === 'new'))
    })

    t.test('what took longer than the longest load does not come to Redis', async (t) => {
      const prefix = freshPrefix(redis.prefix)
      const { cache, clock } = await store.build(t, { longestLoad: '15ms', prefix })
      const other = await store.build(t, { prefix, memory: false })
      const held = gate<string>()
      const { caller } = await tooLong((load) => cache.getOrSet('a', load), held)
      clock.milliseconds += 1_000
      held.open('late')
      t.equal(await caller, 'late')
      t.equal(await other.cache.has('a'), false)
    })
  })
}
