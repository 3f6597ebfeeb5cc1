import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import t, { type Test } from 'tap'
import { MemoryTier } from '../../plugins/shared/memory-tier.js'
import type { Held, Tier } from '../../plugins/shared/tier.js'
import { connect, connect5, ready, type AnyRedis } from '../cache/build-app.js'
import { useCluster, useRedis, useSentinel } from '../helpers/redis.js'
import { buildRedisTier } from './redis-tier.js'

interface Built {
  tier: Tier<Uint8Array>
  /** Moves the tier's clock on. */
  advance (milliseconds: number): void
}

const [redis, cluster, sentinel] = await Promise.all([useRedis(t), useCluster(t), useSentinel(t)])

const tiers: Array<{ name: string, build: (t: Test) => Built | Promise<Built> }> = [
  {
    name: 'memory',
    build () {
      const clock = movable()
      return { ...clock, tier: new MemoryTier<Uint8Array>({ maxBytes: 2 ** 26, sizeOf: (value) => value.length, now: clock.now }) }
    }
  },
  ...([
    { name: 'Redis, ioredis 6', open: (t) => connect(t, redis.url) },
    { name: 'Redis, ioredis 5', open: (t) => connect5(t, redis.url) },
    { name: 'Redis Sentinel, ioredis 6', open: (t) => ready(t, new Redis6(sentinel)) },
    { name: 'Redis Sentinel, ioredis 5', open: (t) => ready(t, new Redis5(sentinel)) },
    { name: 'Redis Cluster, ioredis 6', open: (t) => ready(t, new Cluster6(cluster)) },
    { name: 'Redis Cluster, ioredis 5', open: (t) => ready(t, new Cluster5(cluster)) }
  ] satisfies Array<{ name: string, open: (t: Test) => Promise<AnyRedis> }>).map(({ name, open }) => ({
    name,
    async build (t: Test) {
      const clock = movable()
      return { ...clock, tier: buildRedisTier({ client: await open(t), base: redis.prefix, now: clock.now }).tier }
    }
  }))
]

/** A clock that Redis can agree with. */
function movable () {
  let ahead = 0
  return { now: () => Date.now() + ahead, advance: (milliseconds: number) => { ahead += milliseconds } }
}

function held (text: string, { fresh = 60_000, stale = 0, loadTime = 0, tags = [] }: { fresh?: number, stale?: number, loadTime?: number, tags?: Held<unknown>['tags'] } = {}): Held<Uint8Array> {
  const freshUntil = Date.now() + fresh
  return { value: Buffer.from(text), freshUntil, keptUntil: freshUntil + stale, loadTime, tags }
}

for (const { name, build } of tiers) {
  t.test(name, async (t) => {
    const { tier, advance } = await build(t)
    const text = async (key: string) => {
      const found = await tier.get(key)
      return found === undefined ? undefined : Buffer.from(found.value).toString()
    }

    t.test('what is kept comes back as it was, with all that rules it', async (t) => {
      const tags = [{ tag: 'users', generation: 'AAAAAAAAAAA' }, { tag: 'größte Straße', generation: 'BBBBBBBBBBB' }]
      const kept = held('value', { stale: 500, loadTime: 12, tags })
      await tier.set('a', kept)
      const found = (await tier.get('a'))!
      t.strictSame({ ...found, value: Buffer.from(found.value) }, kept)
    })

    t.test('what was never kept is not there', async (t) => {
      t.equal(await tier.get('never'), undefined)
    })

    t.test('the last that was kept under a key is what stands there', async (t) => {
      await tier.set('b', held('first'))
      await tier.set('b', held('second'))
      t.equal(await text('b'), 'second')
    })

    t.test('what was deleted is gone, and others are not', async (t) => {
      await tier.set('c', held('c'))
      await tier.set('d', held('d'))
      await tier.delete('c')
      await tier.delete('never')
      t.equal(await text('c'), undefined)
      t.equal(await text('d'), 'd')
      await tier.set('c', held('again'))
      t.equal(await text('c'), 'again')
    })

    t.test('keys are told apart, whatever they are made of', async (t) => {
      const keys = ['x', 'X', ' x', 'x ', '{x}', '{x}y', '%7bx%7d', 'x:y', 'é', 'e\u0301', '\0', '*', 'x'.repeat(300), 'x'.repeat(301)]
      for (const key of keys) await tier.set(key, held(key))
      for (const key of keys) t.equal(await text(key), key)
    })

    t.test('any bytes are kept, none and a million', async (t) => {
      for (const value of [Buffer.alloc(0), Buffer.from([0, 255, 13, 10, 0]), Buffer.alloc(1_000_000, 7)]) {
        await tier.set('bytes', { ...held(''), value })
        t.ok(Buffer.from((await tier.get('bytes'))!.value).equals(value))
      }
    })

    t.test('what is over already only removes what stood there', async (t) => {
      await tier.set('e', held('old'))
      await tier.set('e', held('over', { fresh: -1 }))
      t.equal(await text('e'), undefined)
    })

    t.test('a value is there while it is fresh or stale, and gone when both are over', async (t) => {
      await tier.set('f', held('f', { fresh: 10_000, stale: 10_000 }))
      await tier.set('g', held('g', { fresh: 10_000 }))
      advance(11_000)
      t.equal(await text('f'), 'f')
      t.equal(await text('g'), undefined)
      advance(10_000)
      t.equal(await text('f'), undefined)
    })
  })
}
