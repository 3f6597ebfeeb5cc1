import fc from 'fast-check'
import t from 'tap'
import { redisKey } from '../../plugins/cache/keys.js'
import { eventually } from '../helpers/eventually.js'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'
import { stores } from './stores.js'

const redis = await useRedis(t)
const code = 'FST_HEADROOM_CACHE_KEY'

/** Keys with all that has a meaning to Redis or to the encoding, lone surrogates, and more than 256 bytes. */
const key = fc.oneof(
  fc.string({ minLength: 1, unit: fc.constantFrom('{', '}', '#', '%', ':', 'a', '7', 'b', '*', ' ', '\n', '\0') }),
  fc.string({ minLength: 1, unit: 'binary' }),
  fc.string({ minLength: 1, unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) }),
  fc.tuple(fc.constantFrom('a', 'é', '{', '\ud800'), fc.integer({ min: 80, max: 300 })).map(([unit, times]) => unit.repeat(times))
)

t.test('distinct keys never share a key in Redis', async () => {
  fc.assert(fc.property(key, key, (a, b) => a === b || redisKey('p', a) !== redisKey('p', b)), { numRuns: 5_000 })
})

const lookalikes: Array<[title: string, a: string, b: string]> = [
  ['a brace and its encoding', '{', '%7b'], ['a percent sign and its encoding', '%', '%25'], ['a hash and its encoding', '#', '%23'],
  ['two lone surrogates', '\ud800', '\udfff'], ['a lone surrogate and what replaces it', '\ud800', '\ufffd'],
  ['upper and lower case', 'a', 'A'], ['composed and decomposed', '\u00e9', 'e\u0301'],
  ['a key and the digest it is kept under', 'x'.repeat(300), redisKey('p', 'x'.repeat(300)).slice('p:cache:'.length)],
  ['keys of 256 and 257 bytes', 'x'.repeat(256), 'x'.repeat(257)],
  ['a lone surrogate and text of the same bytes in another encoding', '\ud800\u4180'.repeat(100), '\0\u0600A'.repeat(100)]
]
for (const [title, a, b] of lookalikes) {
  t.test(`${title} do not share a key in Redis`, async (t) => {
    t.not(redisKey('p', a), redisKey('p', b))
  })
}

t.test('every key is short, without braces, and under its prefix', async () => {
  fc.assert(fc.property(key, (given) => {
    const inRedis = redisKey('my-app', given)
    return inRedis.startsWith('my-app:cache:') && !/[{}]/.test(inRedis) && Buffer.byteLength(inRedis) <= 'my-app:cache:'.length + 256
  }), { numRuns: 2_000 })
})

t.test('distinct keys under distinct prefixes never share a key in Redis', async () => {
  const prefix = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom('a', '-', '%', 'cache', '#') })
  fc.assert(fc.property(prefix, key, prefix, key, (p, a, q, b) => p === q || redisKey(p, a) !== redisKey(q, b)), { numRuns: 5_000 })
})

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    const { cache } = await store.build(t)
    t.test('distinct keys never share an entry', async () => {
      let run = 0
      await fc.assert(fc.asyncProperty(fc.uniqueArray(key, { minLength: 2, maxLength: 6 }), async (keys) => {
        run++
        for (const [index, name] of keys.entries()) await cache.set(name, [run, index])
        for (const [index, name] of keys.entries()) {
          const value = await cache.get<number[]>(name)
          if (value?.[0] !== run || value[1] !== index) return false
        }
        return true
      }), { numRuns: 30 })
    })

    t.test('names that objects have anyway are keys like any other', async (t) => {
      const { cache } = await store.build(t)
      for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
        t.equal(await cache.has(name), false)
        t.equal(await cache.getOrSet(name, () => name), name)
        t.equal(await cache.get(name), name)
      }
    })

    for (const [got, bad] of [['""', ''], ['undefined', undefined], ['null', null], ['5', 5], ['an object', {}], ['an array of 1', ['a']], ['Symbol(x)', Symbol('x')]] as const) {
      t.test(`${got} as a key is an error that says what was expected and what came`, async (t) => {
        const wrong = bad as string
        const error = { code, message: `cache: expected a non-empty string as the key, got ${got}` }
        await t.rejects(cache.getOrSet(wrong, () => t.fail('must not be loaded')), error)
        await t.rejects(cache.get(wrong), error)
        await t.rejects(cache.has(wrong), error)
        await t.rejects(cache.set(wrong, 1), error)
        await t.rejects(cache.delete(wrong), error)
      })
    }
  })
}

t.test('a delete of several keys at once is refused: all but one would stay', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  await t.rejects((cache.delete as (...keys: string[]) => Promise<unknown>)('a', 'b'), { code, message: /got 2 arguments/ })
  const resource = cache.resource('resource', { load: () => 1 })
  await t.rejects((resource.delete as (...ids: number[]) => Promise<unknown>)(1, 2), { code, message: /got 2 arguments/ })
})

t.test('everything in Redis stands under the prefix, and two prefixes do not see each other', async (t) => {
  const client = await connect(t, (await ownRedis(t)).url)
  const prefix = freshPrefix(redis.prefix)
  const a = await buildApp(t, { redis: client, prefix: `${prefix}-a` })
  const b = await buildApp(t, { redis: client, prefix: `${prefix}-b` })
  await a.cache.set('user:{1}', 'of a')
  await a.cache.getOrSet('x'.repeat(1_000), () => 1)
  await a.cache.delete('gone')
  t.equal(await b.cache.has('user:{1}'), false)
  await b.cache.set('user:{1}', 'of b')
  t.equal(await a.cache.get('user:{1}'), 'of a')
  const keys = (await client.keys(`${prefix}*`)).map((name) => name.slice(prefix.length))
  t.equal(keys.filter((name) => /^-[ab]:cache:/.test(name)).length, 4)
  t.ok(keys.every((name) => /^-[ab]:cache(-tag|-done)?:/.test(name)))
  t.equal((await client.keys('*')).filter((name) => !name.startsWith(redis.prefix)).length, 0)
})

t.test('a client with a key prefix of its own works, and what other processes delete is still heard', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const [a, b] = [
    await buildApp(t, { redis: await connect(t, redis.url, { keyPrefix: `${prefix}tenant:` }), prefix }),
    await buildApp(t, { redis: await connect(t, redis.url, { keyPrefix: `${prefix}tenant:` }), prefix })
  ]
  await Promise.all([trustsMemory(a), trustsMemory(b)])
  await a.cache.set('a', 1)
  t.equal(await b.cache.get('a'), 1)
  await a.cache.set('a', 2)
  await t.resolves(eventually(async () => await b.cache.get('a') === 2))
})
