import t, { type Test } from 'tap'
import { commandStats } from '../helpers/command-stats.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { altered, buildApp, connect, freshPrefix, heard } from './build-app.js'

stayAwake(t)

// An own server: of the commands that it counts, all are to be ours.
const server = await ownRedis(t)
const must = (): never => { throw new Error('must not be loaded') }
const BUSY = { code: 'FST_HEADROOM_CACHE_BUSY', statusCode: 503 }

for (const withSignal of [false, true]) {
  const options = withSignal ? { signal: new AbortController().signal } : undefined
  t.test(`one thousand concurrent hits of a key that only Redis has cost one command, and all get the same frozen object, ${withSignal ? 'with' : 'without'} a signal`, async (t) => {
    const client = await connect(t, server.url)
    const prefix = freshPrefix('app')
    const { cache } = await buildApp(t, { redis: client, prefix, memory: false })
    await heard(client, prefix, 1)
    await cache.set('user:1', { name: 'Ada', tags: ['admin'] })
    await client.config('RESETSTAT')
    const values = await Promise.all(Array.from({ length: 1_000 }, () => cache.getOrSet<{ name: string }>('user:1', must, options)))
    t.strictSame(await commandStats(client), { mget: 1 })
    t.strictSame(values[0], { name: 'Ada', tags: ['admin'] })
    t.ok(values.every((value) => value === values[0]))
    t.ok(Object.isFrozen(values[0]))
    t.match(cache.stats(), { redisHits: 1, shared: 999, misses: 0, loads: 0 })
  })
}

/** An app of whose callers ten may wait for a key, and to which Redis' answers come when `answers` lets them. */
async function held (t: Test) {
  const client = await connect(t, server.url)
  const answers = gate()
  answers.open()
  const late = async <T>(answer: Promise<T>): Promise<T> => {
    await answers.pass()
    return await answer
  }
  const app = await buildApp(t, {
    prefix: freshPrefix('app'),
    memory: false,
    maxWaiters: 10,
    redis: altered(client, { getBuffer: (key) => late(client.getBuffer(key)), mgetBuffer: (...keys) => late(client.mgetBuffer(...keys)) })
  })
  await app.cache.set('user:1', 'Ada')
  answers.shut()
  return { ...app, answers }
}

const { signal } = new AbortController()
for (const [who, tenOptions] of [['without a signal', [{}]], ['with a signal', [{ signal }]], ['with and without one', [{}, { signal }]]] as const) {
  t.test(`while Redis is slow to answer ten callers ${who}, the eleventh fails at once, whichever way it asks, and the ten are not harmed`, async (t) => {
    const { cache, answers } = await held(t)
    const users = cache.resource('user', { load: must })
    const ten = Array.from({ length: 10 }, (_, index) => cache.getOrSet('user:1', must, tenOptions[index % tenOptions.length]))
    for (const options of [{}, { signal }]) {
      await t.rejects(cache.getOrSet('user:1', must, options), BUSY)
      await t.rejects(cache.getMany([1], { key: (id) => `user:${id}`, load: must, ...options }), BUSY)
      await t.rejects(users.get(1, options), BUSY)
      await t.rejects(users.getMany([1], options), BUSY)
    }
    answers.open()
    t.strictSame(await Promise.all(ten), ten.map(() => 'Ada'))
    t.equal(await cache.getOrSet('user:1', must), 'Ada', 'and there is room again')
  })
}

t.test('of batches that wait for Redis each counts as one of the callers of each of its ids', async (t) => {
  const { cache, answers } = await held(t)
  const batch = (ids: number[]) => cache.getMany(ids, { key: (id) => `user:${id}`, load: (missing) => missing.map((id) => `load of ${id}`) })
  const ten = Array.from({ length: 10 }, () => batch([1, 2]))
  await t.rejects(batch([2]), BUSY)
  await t.rejects(cache.getOrSet('user:1', must), BUSY)
  answers.open()
  t.strictSame(await Promise.all(ten), ten.map(() => ['Ada', 'load of 2']))
})

t.test('who has left makes room, while Redis is still slow to answer', async (t) => {
  const { cache, answers } = await held(t)
  const leaving = new AbortController()
  const nine = Array.from({ length: 9 }, () => cache.getOrSet('user:1', must))
  const tenth = cache.getOrSet('user:1', must, { signal: leaving.signal })
  await t.rejects(cache.getOrSet('user:1', must), BUSY)
  leaving.abort(new Error('left'))
  await t.rejects(tenth, { message: 'left' })
  const another = cache.getOrSet('user:1', must)
  answers.open()
  t.strictSame(await Promise.all([...nine, another]), Array.from({ length: 10 }, () => 'Ada'))
})
