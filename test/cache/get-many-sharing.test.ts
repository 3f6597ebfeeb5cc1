import t from 'tap'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, heard } from './build-app.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

const key = (id: number) => `user:${id}`

/** A bulk loader held by a gate, and what it was asked for. */
function held (label: string) {
  const entrance = gate()
  const asked: number[][] = []
  const load = async (ids: number[]) => {
    asked.push([...ids])
    await entrance.pass()
    return ids.map((id) => `${label} ${id}`)
  }
  return { entrance, asked, load }
}

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('a batch shares the load of a single id that is under way', async (t) => {
      const { cache } = await store.build(t)
      const one = gate<string>()
      const single = cache.getOrSet(key(2), one.pass)
      await one.arrived()
      const batch = held('batch')
      const many = cache.getMany([1, 2, 3], { key, load: batch.load })
      await batch.entrance.arrived()
      batch.entrance.open()
      one.open('single 2')
      t.strictSame(await many, ['batch 1', 'single 2', 'batch 3'])
      t.equal(await single, 'single 2')
      t.strictSame(batch.asked, [[1, 3]])
      t.equal(cache.stats().shared, 1)
    })

    t.test('a single get shares the load of a batch that is under way', async (t) => {
      const { cache } = await store.build(t)
      const batch = held('batch')
      const many = cache.getMany([1, 2], { key, load: batch.load })
      await batch.entrance.arrived()
      const single = cache.getOrSet(key(2), () => 'a load of its own')
      batch.entrance.open()
      t.equal(await single, 'batch 2')
      t.strictSame(await many, ['batch 1', 'batch 2'])
      t.equal(cache.stats().loads, 1)
    })

    t.test('two batches that overlap load each id once', async (t) => {
      const { cache } = await store.build(t)
      const [first, second] = [held('first'), held('second')]
      const a = cache.getMany([1, 2, 3], { key, load: first.load })
      await first.entrance.arrived()
      const b = cache.getMany([5, 3, 4, 2], { key, load: second.load })
      await second.entrance.arrived()
      second.entrance.open()
      first.entrance.open()
      t.strictSame(await a, ['first 1', 'first 2', 'first 3'])
      t.strictSame(await b, ['second 5', 'first 3', 'second 4', 'first 2'])
      t.strictSame([first.asked, second.asked], [[[1, 2, 3]], [[5, 4]]])
    })

    t.test('two batches of the same ids, asked in one breath, are one load', async (t) => {
      const { cache } = await store.build(t)
      const batch = held('batch')
      batch.entrance.open()
      const options = { key, load: batch.load }
      const [a, b] = await Promise.all([cache.getMany([1, 2], options), cache.getMany([2, 1], options)])
      t.strictSame([a, b], [['batch 1', 'batch 2'], ['batch 2', 'batch 1']])
      t.strictSame(batch.asked, [[1, 2]])
    })

    t.test('one id that is deleted while its batch loads is not kept, and the others are', async (t) => {
      const { cache } = await store.build(t)
      const batch = held('batch')
      const many = cache.getMany([1, 2, 3], { key, load: batch.load })
      await batch.entrance.arrived()
      await cache.delete(key(2))
      const after = cache.getOrSet(key(2), () => 'new')
      t.equal(await after, 'new', 'who asks after the delete does not wait for the batch')
      await cache.delete(key(2))
      batch.entrance.open()
      t.strictSame(await many, ['batch 1', 'batch 2', 'batch 3'])
      t.strictSame([await cache.get(key(1)), await cache.get(key(2)), await cache.get(key(3))], ['batch 1', undefined, 'batch 3'])
    })

    t.test('a batch that fails takes a single get that joined it with it, and not one that has what it asked for', async (t) => {
      const { cache } = await store.build(t)
      const entrance = gate<Array<string | Error>>()
      const bad = new Error('bad row')
      const many = cache.getMany([1, 2], { key, load: entrance.pass, settle: true })
      await entrance.arrived()
      const [good, failed] = [cache.getOrSet(key(1), () => 'own'), cache.getOrSet(key(2), () => 'own')]
      const failure = failed.catch((error: unknown) => error)
      entrance.open(['a', bad])
      t.equal(await good, 'a')
      t.equal(await failure, bad)
      t.strictSame((await many).map(({ status }) => status), ['fulfilled', 'rejected'])
    })
  })
}

t.test('a batch whose loader waits for one of its own ids fails rather than hang', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const load = async (ids: number[]) => {
    await cache.getOrSet(key(2), () => 'other')
    return ids
  }
  await t.rejects(cache.getMany<unknown, number>([1, 2], { key, load }), { code: 'FST_HEADROOM_CACHE_REENTRY' })
})

t.test('a batch whose loader waits for an id of another batch, which waits for one of its own, fails rather than hang', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const entrance = gate()
  const asking = (id: number) => async (ids: number[]) => {
    await entrance.pass()
    await cache.getOrSet(key(id), () => 'other')
    return ids
  }
  const batches = Promise.allSettled([
    cache.getMany<unknown, number>([1, 2], { key, load: asking(3) }), cache.getMany<unknown, number>([3, 4], { key, load: asking(1) })
  ])
  await entrance.arrived(2)
  entrance.open()
  t.match(await batches, [{ status: 'rejected', reason: { code: 'FST_HEADROOM_CACHE_REENTRY' } }, { status: 'rejected' }])
})

t.test('who asks after an invalidation does not get what a batch had found before it, and still waited for another id with', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const writer = await buildApp(t, { redis: client, prefix })
  let source = 'old'
  await writer.cache.getOrSet(key(1), ({ tags }) => { tags('users'); return source })
  // So large that its tag is asked for later than the other one.
  await writer.cache.getOrSet(key(2), ({ tags }) => { tags('photos'); return 'x'.repeat(1_000_000) })
  const [usersAnswered, photosAsked] = [gate(), gate()]
  usersAnswered.open()
  const { cache } = await buildApp(t, {
    prefix,
    redis: altered(client, {
      async getBuffer (name) {
        if (name.endsWith('cache-tag:photos')) await photosAsked.pass()
        const value = await client.getBuffer(name)
        if (name.endsWith('cache-tag:users')) await usersAnswered.pass()
        return value
      }
    })
  })
  await heard(client, prefix, 2)
  const many = cache.getMany([1, 2], { key, load: (ids) => ids.map(() => source) })
  await Promise.all([usersAnswered.arrived(), photosAsked.arrived()])
  await new Promise((resolve) => { setImmediate(resolve) })
  source = 'new'
  t.strictSame(await cache.invalidateTags('users'), { shared: true })
  const asked = cache.getOrSet(key(1), () => source)
  photosAsked.open()
  t.equal(await asked, 'new')
  await many
  t.equal(await cache.getOrSet(key(1), () => source), 'new')
})

t.test('a caller that got its id from Redis keeps nobody else\'s batch from being aborted', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const client = await connect(t, redis.url)
  const reads = gate()
  const { cache } = await buildApp(t, {
    prefix,
    memory: false,
    redis: altered(client, { mgetBuffer: async (...keys) => { await reads.pass(); return await client.mgetBuffer(...keys) } })
  })
  await cache.set(key(1), 'in Redis')
  const [leaving, loads] = [new AbortController(), gate<string[]>()]
  let signal!: AbortSignal
  const batch = cache.getMany([1, 2], { key, signal: leaving.signal, load: (_ids, context) => { signal = context.signal; return loads.pass() } })
  await reads.arrived()
  const others = [cache.getOrSet(key(1), () => 'loaded'), cache.getMany([1], { key, load: () => ['loaded'] })]
  reads.open()
  t.strictSame(await Promise.all(others), ['in Redis', ['in Redis']])
  await loads.arrived()
  t.equal(signal.aborted, false)
  leaving.abort(new Error('left'))
  await t.rejects(batch, { message: 'left' })
  t.equal(signal.aborted, true)
  loads.fail(new Error('aborted'))
})
