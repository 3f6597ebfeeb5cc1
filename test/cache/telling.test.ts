import t, { type Test } from 'tap'
import type { Cache } from '../../plugins/cache/index.js'
import { Messages } from '../../plugins/cache/messages.js'
import { Tags } from '../../plugins/cache/tags.js'
import { Telling } from '../../plugins/cache/telling.js'
import type { RedisTier } from '../../plugins/shared/redis-tier.js'
import { eventually } from '../helpers/eventually.js'
import { gate, type Gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix } from './build-app.js'

const redis = await useRedis(t)

/** A Redis that refuses scripts, or is slow to get them, as the test says; and a process that sees what stands in it. */
async function scene (t: Test) {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const state = { refuses: false, entrances: new Map<string, Gate<void>>(), sent: [] as string[], told: new Map<string, () => void>() }
  const app = await buildApp(t, {
    prefix,
    memory: false,
    redis: altered(client, {
      async eval (script, keys, ...rest) {
        const key = String(rest[0]).slice(`${prefix}:cache:`.length)
        state.sent.push(key)
        if (state.refuses) throw Object.assign(new Error('READONLY'), { name: 'ReplyError' })
        await state.entrances.get(key)?.pass()
        const reply = await client.eval(script, keys, ...rest)
        state.told.get(key)?.()
        return reply
      }
    })
  })
  const other = await buildApp(t, { prefix, redis: await connect(t, redis.url), memory: false })
  await app.cache.set('warm-up', 1)
  /** Resolves when Redis has run a script on the key. */
  const told = (key: string): Promise<void> => new Promise((resolve) => { state.told.set(key, resolve) })
  return { ...app, other, state, told }
}

const writes: Array<[title: string, write: (cache: Cache, index: number) => ReturnType<Cache['set']>, stands: unknown]> = [
  ['deletes', (cache) => cache.delete('hot'), undefined],
  ['sets', (cache, index) => cache.set('hot', index), 99],
  ['sets and deletes, a set the last,', (cache, index) => index % 2 === 0 ? cache.delete('hot') : cache.set('hot', index), 99],
  ['sets and deletes, a delete the last,', (cache, index) => index % 2 === 0 ? cache.set('hot', index) : cache.delete('hot'), undefined]
]
for (const [title, write, stands] of writes) {
  t.test(`one hundred ${title} of one key at once take a few round trips, and what the last one says stands`, async (t) => {
    const { cache, other, state } = await scene(t)
    await cache.set('hot', 'old')
    const slow = gate()
    state.entrances.set('hot', slow)
    state.sent.length = 0
    const results = Promise.all(Array.from({ length: 100 }, (_, index) => write(cache, index)))
    await slow.arrived()
    slow.open()
    for (const result of await results) t.strictSame(result, { shared: true })
    const count = state.sent.filter((key) => key === 'hot').length
    t.ok(count <= 3, `${count} scripts`)
    t.strictSame([await cache.get('hot'), await other.cache.get('hot')], [stands, stands])
  })
}

t.test('one hundred deletes of one key that Redis cannot be told of all say so, and it is told in the end', async (t) => {
  const { cache, other, state, told } = await scene(t)
  await cache.set('hot', 'old')
  state.refuses = true
  const results = await Promise.all(Array.from({ length: 100 }, () => cache.delete('hot')))
  t.ok(results.every(({ shared }) => !shared))
  t.equal(await cache.get('hot'), undefined)
  const heard = told('hot')
  state.refuses = false
  await heard
  t.equal(await other.cache.get('hot'), undefined)
})

t.test('when Redis is told what it could not be told before, what was set since stays', async (t) => {
  const { cache, other, state, told } = await scene(t)
  state.refuses = true
  for (const key of ['set before', 'set while', 'last']) t.strictSame(await cache.delete(key), { shared: false })
  state.refuses = false
  const heard = told('last')
  const telling = gate()
  state.entrances.set('set while', telling)
  t.strictSame(await cache.set('set before', 'newest'), { shared: true })
  await telling.arrived()
  const setting = cache.set('set while', 'newest')
  telling.open()
  t.strictSame(await setting, { shared: true })
  await heard
  for (const key of ['set before', 'set while']) t.strictSame([await cache.get(key), await other.cache.get(key)], ['newest', 'newest'], key)
})

t.test('who asks for a key while it is set, after a delete that Redis could not be told of, does not delete it', async (t) => {
  for (const ask of ['get', 'getOrSet'] as const) {
    const { cache, other, state } = await scene(t)
    state.refuses = true
    t.strictSame(await cache.delete('key'), { shared: false })
    state.refuses = false
    const setting = cache.set('key', 'newest')
    await (ask === 'get' ? cache.get('key') : cache.getOrSet('key', () => 'loaded'))
    t.strictSame(await setting, { shared: true })
    t.strictSame([await cache.get('key'), await other.cache.get('key')], ['newest', 'newest'], ask)
  }
})

t.test('what a server acknowledges after another one has been seen to take its place is told again', async (t) => {
  const answers = gate<Buffer>()
  const redis = { delete: answers.pass, groupsOf: (keys: string[]) => [keys] } as unknown as RedisTier
  const telling = new Telling({
    redis, messages: new Messages(), tags: new Tags(), onRedisError: () => {}, doubts: { ofKey: () => undefined, ofTag: () => undefined }
  })
  t.teardown(() => { telling.close() })
  const deleting = telling.delete('key')
  await answers.arrived()
  t.strictSame(telling.tellAgain({ isKey: () => true, isTag: () => true }).keys, [])
  answers.letOne(Buffer.alloc(0))
  t.equal(await deleting, true)
  t.strictSame(telling.untold([{ key: 'key' }]), [{ key: 'key' }])
  await answers.arrived(2)
  answers.open(Buffer.alloc(0))
  await eventually(() => telling.untold([{ key: 'key' }]).length === 0)
})
