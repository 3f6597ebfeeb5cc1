import t, { type Test } from 'tap'
import type { Cache, CacheEntryOptions } from '../../plugins/cache/index.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

const redis = await useRedis(t)

const DAY = 24 * 60 * 60 * 1_000
const brief = { ttl: '1m', jitter: 0 } satisfies CacheEntryOptions

async function build (t: Test) {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const app = await buildApp(t, { redis: client, prefix })
  await trustsMemory(app)
  /** Milliseconds that Redis keeps the value, then the generations of the tags, of that of everything, at least. */
  const lifetimes = async (key: string, ...tags: string[]): Promise<[value: number, tags: number]> => {
    const left = await Promise.all([...tags, '%00everything'].map((tag) => client.pttl(`${prefix}:cache-tag:${tag}`)))
    return [await client.pttl(`${prefix}:cache:${key}`), Math.min(...left)]
  }
  return { ...app, client, prefix, lifetimes }
}

const keeps: Array<[title: string, keep: (cache: Cache) => Promise<unknown>]> = [
  ['a load says the tag, and with ttl() how long', (cache) => cache.getOrSet('user:1', ({ ttl, tags }) => { tags('news'); ttl('30d'); return 1 }, brief)],
  ['a load says with ttl() how long, and the call the tag', (cache) => cache.getOrSet('user:1', ({ ttl }) => { ttl('30d'); return 1 }, { ...brief, tags: ['news'] })],
  ['a load says the tag, and the call how long stale', (cache) => cache.getOrSet('user:1', ({ tags }) => { tags('news'); return 1 }, { ...brief, stale: '30d' })],
  ['a load says the tag, and the call how long on an error', (cache) => cache.getOrSet('user:1', ({ tags }) => { tags('news'); return 1 }, { ...brief, staleOnError: '30d' })],
  ['the call says the tag, and how long stale', (cache) => cache.getOrSet('user:1', () => 1, { ...brief, stale: '30d', tags: ['news'] })],
  ['a bulk load says the tag, and with ttl() how long', (cache) => cache.getMany([1], { key: (id) => `user:${id}`, load: (ids, { ttl, tags }) => { tags('news'); ttl('30d'); return ids }, ...brief })],
  ['a set says both', (cache) => cache.set('user:1', 1, { ...brief, staleOnError: '30d', tags: ['news'] })],
  ['a resource loads', (cache) => cache.resource('user', { ...brief, stale: '30d', tags: ['news'], load: () => 1 }).get(1)],
  ['a resource refreshes', (cache) => cache.resource('user', { ...brief, stale: '30d', load: (_id: number, { tags }) => { tags('news'); return 1 } }).refresh(1)],
  ['a resource saves', (cache) => cache.resource('user', { ...brief, stale: '30d', tags: ['news'], load: () => 1, save: () => {}, write: 'through' }).set(1, 1)],
  ['a resource knows that there is none', (cache) => cache.resource('user', { ...brief, negativeTtl: '30d', tags: ['news'], load: (): unknown => undefined }).get(1)]
]
for (const [title, keep] of keeps) {
  t.test(`Redis keeps what it knows of a tag as long as a value of thirty days that has it: ${title}`, async (t) => {
    const { cache, lifetimes } = await build(t)
    await keep(cache)
    const [value, tags] = await lifetimes('user:1', 'news')
    t.ok(value > 29 * DAY, `the value: ${value / DAY} days`)
    t.ok(tags >= value, `its tags: ${tags / DAY} days`)
  })
}

for (const before of ['a load', 'a call'] as const) {
  t.test(`a tag that ${before} has named for a short while before lasts, too, as long as a value of thirty days that a load gives it`, async (t) => {
    const { cache, lifetimes } = await build(t)
    if (before === 'a load') await cache.getOrSet('earlier', ({ tags }) => { tags('news'); return 1 }, brief)
    else await cache.getOrSet('earlier', () => 1, { ...brief, tags: ['news'] })
    await cache.getOrSet('user:1', ({ ttl, tags }) => { tags('news'); ttl('30d'); return 1 }, brief)
    const [value, tags] = await lifetimes('user:1', 'news')
    t.ok(value > 29 * DAY, `the value: ${value / DAY} days`)
    t.ok(tags >= value, `its tags: ${tags / DAY} days`)
  })
}

t.test('a tag that a process has only read, and then a load names, lasts as long as its value', async (t) => {
  const { cache, client, prefix, lifetimes } = await build(t)
  await cache.set('earlier', 1, { ...brief, tags: ['news'] })
  await client.pexpire(`${prefix}:cache-tag:news`, DAY / 24)
  const other = await buildApp(t, { redis: client, prefix })
  await trustsMemory(other)
  t.equal(await other.cache.get('earlier'), 1)
  await other.cache.getOrSet('user:1', ({ tags }) => { tags('news'); return 1 }, { ...brief, ttl: '3h' })
  const [value, tags] = await lifetimes('user:1', 'news')
  t.ok(tags >= value, `the value: ${value} ms; its tags: ${tags} ms`)
})
