import diagnostics from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import type { CacheOptions } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory, type Built } from './build-app.js'
import { NEXT_VERSION, nextRelease } from './next-release.js'

const redis = await useRedis(t)

/** Of each release an app with two tiers and one with Redis only, on one Redis, under one prefix. */
async function releases (t: Test) {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const app = async (isNext: boolean, options: CacheOptions): Promise<Built> => {
    const own = await connect(t, redis.url)
    return await buildApp(t, { redis: isNext ? nextRelease(own) : own, prefix, ...options })
  }
  const [older, newer] = [await app(false, {}), await app(true, {})]
  const [olderInRedis, newerInRedis] = [await app(false, { memory: false }), await app(true, { memory: false })]
  await Promise.all([trustsMemory(older), trustsMemory(newer)])
  const at = async (key: string): Promise<Buffer | null> => await client.getBuffer(`${prefix}:cache:${key}`)
  return { older, newer, olderInRedis, newerInRedis, at, client, prefix }
}

t.test('what the newer release wrote, the older one loads for itself, keeps in its memory, and leaves where it stands', async (t) => {
  const { older, newer, olderInRedis, newerInRedis, at } = await releases(t)
  await newer.cache.getOrSet('a', () => 'newer')
  const written = await at('a')
  t.equal(written![1], NEXT_VERSION)

  t.equal(await older.cache.getOrSet('a', () => 'older'), 'older')
  t.equal(await older.cache.getOrSet('a', () => t.fail('must not be loaded')), 'older')
  t.strictSame(await older.cache.getMany(['a', 'b'], { key: String, load: (ids) => ids.map((id) => `${id} of many`) }), ['older', 'b of many'])
  t.equal(await olderInRedis.cache.get('a'), undefined)
  t.equal(await olderInRedis.cache.getOrSet('a', () => 'without memory'), 'without memory')
  t.strictSame(await olderInRedis.cache.getMany(['a', 'b'], { key: String, load: (ids) => ids.map((id) => `${id} alone`) }), ['a alone', 'b of many'])

  t.strictSame(await at('a'), written)
  for (const { cache } of [newer, newerInRedis]) t.equal(await cache.getOrSet('a', () => t.fail('must not be loaded')), 'newer')
})

t.test('what the older release wrote, the newer one gives out', async (t) => {
  const { older, newer, newerInRedis } = await releases(t)
  await older.cache.getOrSet('loaded', () => ({ by: 'older' }), { tags: ['tag'] })
  await older.cache.set('set', { by: 'older' })
  for (const { cache } of [newer, newerInRedis]) {
    for (const key of ['loaded', 'set']) t.strictSame(await cache.getOrSet(key, () => t.fail('must not be loaded')), { by: 'older' })
  }
})

t.test('as often as they are asked in turn, each release loads once', async (t) => {
  const { older, newer, newerInRedis } = await releases(t)
  const tags = ['tag']
  for (let round = 0; round < 20; round++) {
    for (const { cache } of [newer, older, newerInRedis]) await cache.getOrSet('by the newer first', () => round, { tags })
    for (const { cache } of [older, newer, newerInRedis]) await cache.getOrSet('by the older first', () => round, { tags })
  }
  t.strictSame([newer, older, newerInRedis].map(({ cache }) => cache.stats().loads), [1, 2, 0])
})

t.test('a value of the newer release is counted and published by the older one as one that it cannot read', async (t) => {
  const { older, newer } = await releases(t)
  await newer.cache.set('a', 1)
  const keys: unknown[] = []
  const listener = (message: unknown) => { keys.push((message as { key: string }).key) }
  diagnostics.subscribe('headroom:cache:unreadable', listener)
  t.teardown(() => diagnostics.unsubscribe('headroom:cache:unreadable', listener))
  const before = older.cache.stats().unreadable
  t.equal(await older.cache.get('a'), undefined)
  t.equal(older.cache.stats().unreadable - before, 1)
  t.strictSame(keys, ['a'])
  t.strictSame(older.log(), [])
})

type Name = 'older' | 'newer'

const actions: Array<[title: string, act: (by: Built) => Promise<unknown>, left: unknown]> = [
  ['a delete', ({ cache }) => cache.delete('a'), undefined],
  ['a set', ({ cache }) => cache.set('a', 'set'), 'set'],
  ['an invalidation', ({ cache }) => cache.invalidateTags('tag'), undefined],
  ['a clear', ({ cache }) => cache.clear(), undefined]
]

for (const [title, act, left] of actions) {
  for (const by of ['older', 'newer'] satisfies Name[]) {
    for (const first of ['older', 'newer'] satisfies Name[]) {
      t.test(`${title} by the ${by} release is seen by both at once, where the ${first} one had loaded first`, async (t) => {
        const apps = await releases(t)
        const { older, newer, olderInRedis, newerInRedis } = apps
        for (const { cache } of [apps[first], older, newer]) t.equal(await cache.getOrSet('a', () => 'old', { tags: ['tag'] }), 'old')
        t.strictSame(await act(apps[by]), { shared: true })
        const forNewer = left
        const forOlder = by === 'older' ? left : undefined
        const seen = new Map([[older, forOlder], [olderInRedis, forOlder], [newer, forNewer], [newerInRedis, forNewer]])
        for (const app of [olderInRedis, newerInRedis, apps[by]]) t.equal(await app.cache.get('a'), seen.get(app))
        // The message takes its time to the memory of the others.
        await t.resolves(eventually(async () => await older.cache.get('a') === forOlder && await newer.cache.get('a') === forNewer, 50))
        for (const [{ cache }, value = 'new'] of seen) t.equal(await cache.getOrSet('a', () => 'new', { tags: ['tag'] }), value)
      })
    }
  }
}

t.test('what the older release was loading when the newer one voided it is not kept', async (t) => {
  const { older, newer, olderInRedis } = await releases(t)
  for (const [title, act, left] of actions) {
    await newer.cache.set('a', 'newest', { tags: ['tag'] })
    await eventually(async () => await older.cache.get('a') === undefined)
    const held = gate<string>()
    const loading = older.cache.getOrSet('a', held.pass, { tags: ['tag'] })
    await held.arrived()
    await act(newer)
    // Behind what the newer release has told.
    await trustsMemory(older)
    held.open('old')
    t.equal(await loading, 'old')
    for (const { cache } of [older, olderInRedis]) t.equal(await cache.get('a'), undefined, title)
    t.equal(await newer.cache.get('a'), left, title)
  }
})

t.test('a refresh by the older release replaces what the newer one had, for both', async (t) => {
  const { older, newer, newerInRedis } = await releases(t)
  let value = 'old'
  const [ofOlder, ofNewer, ofNewerInRedis] = [older, newer, newerInRedis].map(({ cache }) => cache.resource('thing', { load: () => value }))
  t.equal(await ofNewer!.get(7), 'old')
  value = 'new'
  t.equal(await ofOlder!.refresh(7), 'new')
  t.equal(await ofNewerInRedis!.get(7), 'new')
  await t.resolves(eventually(async () => await ofNewer!.get(7) === 'new', 50))
})

t.test('a message that only the newer release understands costs the older one its memory, and nothing else', async (t) => {
  const { older, client, prefix } = await releases(t)
  await older.cache.set('a', 1)
  const said = ['["5d6f2c54-9f3b-4a43-8ad4-5f0c1d2e3f40",1,[],"renamed","a","b"]', '["someone",1,[],"ended","a","later"]', '{"version":3}', 'no JSON']
  for (const message of said) {
    await trustsMemory(older)
    await older.cache.get('a')
    const { redisHits, loads, redisErrors } = older.cache.stats()
    t.ok(older.cache.stats().entries > 0)
    await client.publish(`${prefix}:cache`, message)
    await eventually(() => older.cache.stats().entries === 0)
    t.equal(await older.cache.getOrSet('a', () => t.fail('must not be loaded')), 1, 'Redis has it')
    t.match(older.cache.stats(), { redisHits: redisHits + 1, loads, redisErrors })
    t.equal(await older.cache.getOrSet('a', () => t.fail('must not be loaded')), 1)
    t.equal(older.cache.stats().redisHits, redisHits + 1, 'and memory has it again')
  }
  t.strictSame(older.log(), [])
})
