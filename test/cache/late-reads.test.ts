import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Cache, CacheEntryOptions } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

/** An app to which the answers of Redis come late while `hold` says so, and another that has kept the old value in Redis. */
async function scene (t: Test, rules: CacheEntryOptions) {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const [answered, late] = [gate(), gate()]
  let holds = false
  const held = async <T>(answer: Promise<T>): Promise<T> => {
    const holding = holds
    const value = await answer
    if (holding) {
      void answered.pass()
      await late.pass()
    }
    return value
  }
  const app = await buildApp(t, {
    prefix,
    memory: { maxBytes: '2kb' },
    random: () => 1 - Number.EPSILON,
    redis: altered(client, { getBuffer: (key) => held(client.getBuffer(key)), mgetBuffer: (...keys) => held(client.mgetBuffer(...keys)) })
  })
  const other = await buildApp(t, { prefix, redis: await connect(t, redis.url) })
  await trustsMemory(app)
  other.clock.milliseconds = app.clock.milliseconds
  await other.cache.getOrSet('user:1', () => delay(5, 'old'), rules)
  /** Begins a read; resolves when Redis has answered it, and the app has not heard. */
  const readLate = async <T>(read: () => Promise<T>): Promise<Promise<T>[]> => {
    holds = true
    const reader = read()
    await answered.arrived()
    holds = false
    // In an array: a promise of a promise is one that waits for it.
    return [reader]
  }
  return { ...app, readLate, late }
}

/** Has memory lose what was used longest ago. */
async function fillMemory (cache: Cache): Promise<void> {
  for (let index = 0; index < 20; index++) await cache.set(`filler ${index}`, index)
}

const ahead = { ttl: '10s', jitter: 0, refreshAhead: 100 } satisfies CacheEntryOptions
const stale = { ttl: '10s', jitter: 0, stale: '1h' } satisfies CacheEntryOptions
const must = (): never => { throw new Error('must not be loaded') }

for (const read of ['get', 'has'] as const) {
  for (const [renewal, rules, elapsed] of [['a renewal ahead of its end', ahead, 9_000], ['a renewal of a stale value', stale, 10_001]] as const) {
    t.test(`${read} whose answer comes late puts no older value over what ${renewal} has brought since`, async (t) => {
      const { cache, clock, readLate, late } = await scene(t, rules)
      clock.milliseconds += elapsed
      const [reader] = await readLate(() => cache[read]('user:1'))
      const loads = gate<string>()
      const asked = cache.getOrSet('user:1', loads.pass, rules)
      await loads.arrived()
      loads.open('new')
      t.equal(await asked, 'old')
      await eventually(async () => await cache.get('user:1') === 'new')
      late.open()
      await reader
      const before = cache.stats()
      t.equal(await cache.get('user:1'), 'new')
      t.equal(await cache.getOrSet('user:1', must, { stale: '1h' }), 'new')
      t.match(cache.stats(), { memoryHits: before.memoryHits + 2, staleServed: before.staleServed }, 'out of memory')
    })
  }

  for (const begun of ['before it', 'while it loaded'] as const) {
    t.test(`${read} begun ${begun}, whose answer comes late, puts no older value over what a refresh has brought since`, async (t) => {
      const { cache, readLate, late } = await scene(t, { ttl: '1h' })
      const loads = gate<string>()
      const users = cache.resource('user', { ttl: '1h', load: (_id: number) => loads.pass() })
      const readFirst = begun === 'before it' ? await readLate(() => cache[read]('user:1')) : undefined
      const refreshed = users.refresh(1)
      await loads.arrived()
      await fillMemory(cache)
      const [reader] = readFirst ?? await readLate(() => cache[read]('user:1'))
      loads.open('new')
      t.equal(await refreshed, 'new')
      late.open()
      await reader
      t.equal(await cache.get('user:1'), 'new')
      t.equal(await users.get(1), 'new')
    })
  }
}
