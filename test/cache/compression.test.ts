import t, { type Test } from 'tap'
import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import type { CacheOptions } from '../../plugins/cache/index.js'
import { open, sealValue } from '../../plugins/shared/envelope.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, overheard } from './build-app.js'
import { damaged } from '../shared/damage.js'

const redis = await useRedis(t)

async function redisOnly (t: Test, options: CacheOptions = {}) {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  // A busy machine may take longer to compress than a lease lasts: then it would not be kept.
  const built = await buildApp(t, { redis: client, prefix, memory: false, lease: '30s', ...options })
  return { ...built, client, at: (key: string) => `${prefix}:cache:${key}` }
}

const users = Array.from({ length: 2_000 }, (_, id) => ({ id, name: `User number ${id}`, roles: ['reader', 'writer'], active: id % 2 === 0 }))
const jsonBytes = JSON.stringify(users).length

const shapes: Array<[title: string, value: unknown]> = [
  ['plain', users], ['rich', { users, at: new Date(0), byId: new Map(users.map((user) => [user.id, user])) }], ['a text', 'ü🙂'.repeat(50_000)],
  ['bytes', Buffer.alloc(200_000, 'abc')]
]
for (const [title, value] of shapes) {
  t.test(`a large value (${title}) takes a fraction of its bytes in Redis, and comes back equal, however it is kept`, async (t) => {
    const { cache, client, at } = await redisOnly(t)
    const plain = await redisOnly(t, { compressAbove: false })
    const save = cache.resource('saved', { load: () => value, save: () => {}, write: 'through' })
    await plain.cache.set('a', value)
    await cache.set('set', value)
    await cache.getOrSet('loaded', () => value)
    await cache.getMany(['batch'], { key: (id) => id, load: () => [value] })
    await save.set('1', value)
    const full = await plain.client.strlen(plain.at('a'))
    t.ok(full > 150_000)
    for (const key of ['set', 'loaded', 'batch', 'saved:1']) {
      t.ok(await client.strlen(at(key)) < full / 3, key)
      t.strictSame(await cache.get(key), value, key)
    }
    t.strictSame(await plain.cache.get('a'), value)
  })
}

t.test('a value up to compressAbove is left as it is, and one byte more is not', async (t) => {
  const { cache, client, at } = await redisOnly(t, { compressAbove: 1_000 })
  await cache.set('up to', 'x'.repeat(997))
  await cache.set('above', 'x'.repeat(998))
  t.ok(await client.strlen(at('up to')) > 1_000)
  t.ok(await client.strlen(at('above')) < 200)
  t.equal(await cache.get('up to'), 'x'.repeat(997))
  t.equal(await cache.get('above'), 'x'.repeat(998))
})

t.test('what cannot be compressed is left as it is', async (t) => {
  const { cache, client, at } = await redisOnly(t, { compressAbove: 1_000 })
  const noise = randomBytes(10_000)
  await cache.set('a', noise)
  t.ok(await client.strlen(at('a')) >= 10_000)
  t.strictSame(await cache.get('a'), noise)
})

t.test('processes that compress, and such that do not, read each other\'s values', async (t) => {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const apps = []
  for (const compressAbove of [false, 1, '1mb'] as const) {
    // What is being inflated when its reader begins to hear the others counts as void.
    const { client: own, heardItself } = overheard(client)
    apps.push(await buildApp(t, { redis: own, prefix, memory: false, compressAbove }))
    await heardItself
  }
  for (const { cache } of apps) {
    await cache.set('a', users)
    for (const reader of apps) t.strictSame(await reader.cache.get('a'), users)
  }
})

t.test('a hundred values that are compressed side by side do not mix', async (t) => {
  const { cache } = await redisOnly(t, { compressAbove: 100 })
  const ids = Array.from({ length: 100 }, (_, id) => id)
  const value = (id: number) => `${id} `.repeat(1_000)
  await cache.getMany(ids, { key: String, load: (asked) => asked.map(value) })
  t.strictSame(await cache.getMany(ids, { key: String, load: () => { throw new Error('not kept') } }), ids.map(value))
})

t.test('a value that is deleted while it is compressed is not kept', async (t) => {
  const { cache, client, at } = await redisOnly(t, { compressAbove: 100 })
  for (let round = 0; round < 20; round++) {
    const loads = gate<typeof users>()
    const loaded = cache.getOrSet('a', loads.pass)
    await loads.arrived()
    loads.open(users)
    for (let turn = 0; turn < round; turn++) await new Promise((resolve) => { setImmediate(resolve) })
    await cache.delete('a')
    await loaded
    t.equal(await cache.has('a'), false, `after ${round} turns`)
  }
  t.equal(await client.exists(at('a')), 1, 'what stands there is that it was deleted')
})

t.test('a sound entry whose compressed part is damaged is a miss, counted, and can be loaded again', async (t) => {
  const { cache, client, at, log } = await redisOnly(t)
  await cache.set('sound', users)
  const opened = open((await client.getBuffer(at('sound')))!, Date.now())
  if (opened.kind !== 'value') throw new Error('not compressed, not a value')
  const body = opened.held.value
  t.equal(body[0], 3, 'compressed')
  let wrong = 0
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.concat([Buffer.of(3), damaged(body.subarray(1))])
    await client.set(at('a'), sealValue({ ...opened.held, value: bytes }, Date.now()))
    const value = await cache.get('a').catch((error: unknown) => error)
    if (value instanceof Error) wrong++
  }
  t.equal(wrong, 0)
  t.ok(cache.stats().unreadable > 150, `${cache.stats().unreadable} of 300: a flipped bit can make another text, which the entry's own checksum tells`)
  t.equal(cache.stats().redisErrors, 0)
  const bomb = Buffer.concat([Buffer.of(3, 0xff, 0xff, 0xff, 0xff), deflateRawSync(Buffer.alloc(20 * 2 ** 20))])
  for (const bytes of [Buffer.of(3), Buffer.of(3, 0, 0, 0, 9), bomb]) {
    await client.set(at('a'), sealValue({ ...opened.held, value: bytes }, Date.now()))
    t.equal(await cache.get('a'), undefined)
    t.strictSame(await cache.getOrSet('a', () => users), users)
    t.strictSame(await cache.get('a'), users)
  }
  t.equal(log().length, 0)
  t.ok(jsonBytes > body.length)
})
