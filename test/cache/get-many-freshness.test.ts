import t from 'tap'
import type { GetManyOptions } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp } from './build-app.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

// The plugin's own timers keep no process alive.
const alive = setInterval(() => {}, 1_000)
t.teardown(() => { clearInterval(alive) })

type UserOptions = Omit<GetManyOptions<string, number>, 'settle'>

const key = (id: number) => `user:${id}`

/** Loads a new value of each id every time. */
function versions () {
  const asked: number[][] = []
  const load = (ids: number[]) => {
    asked.push([...ids])
    return ids.map((id) => `${id} v${asked.length}`)
  }
  return { asked, load }
}

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('stale values of a batch come at once, and one load renews them in the background', async (t) => {
      const { cache, clock } = await store.build(t)
      const source = versions()
      const entrance = gate()
      const options = { key, ttl: '1s', stale: '1m', load: source.load }
      await cache.getMany([1, 2, 3], options)
      clock.milliseconds += 1_000
      const slow = { ...options, load: async (ids: number[]) => { await entrance.pass(); return source.load(ids) } }
      t.strictSame(await cache.getMany([1, 2, 3], slow), ['1 v1', '2 v1', '3 v1'])
      await entrance.arrived()
      t.strictSame(await cache.getMany([3, 2], slow), ['3 v1', '2 v1'], 'still')
      entrance.open()
      // In a Cluster each of them is written in its own time.
      await eventually(async () => (await Promise.all([1, 2, 3].map((id) => cache.has(key(id))))).every(Boolean))
      t.strictSame(await cache.getMany([1, 2, 3], slow), ['1 v2', '2 v2', '3 v2'])
      t.strictSame(source.asked, [[1, 2, 3], [1, 2, 3]])
      t.equal(cache.stats().staleServed, 5)
    })

    t.test('a batch of stale and unknown ids is one load, and the stale ones are its background', async (t) => {
      const { cache, clock } = await store.build(t)
      const source = versions()
      const options = { key, ttl: '1s', stale: '1m', load: source.load }
      await cache.getMany([1, 2], options)
      clock.milliseconds += 1_000
      const values = await cache.getMany([1, 5, 2], options)
      t.strictSame([values[0], values[2]], ['1 v1', '2 v1'])
      t.match(values[1], /^5 v/)
      await eventually(async () => await cache.has(key(1)) && await cache.has(key(2)))
      t.strictSame([...new Set(source.asked.slice(1).flat())].sort(), [1, 2, 5], 'each once')
      t.equal(source.asked.slice(1).flat().length, 3)
    })

    t.test('with refreshAhead a batch is renewed before its end by one load', async (t) => {
      let random = 0
      const { cache, clock } = await store.build(t, { random: () => random })
      const asked: number[][] = []
      const options: UserOptions = {
        key,
        ttl: '10s',
        refreshAhead: 100,
        jitter: 0,
        load: async (ids) => {
          asked.push([...ids])
          const version = asked.length
          await new Promise((resolve) => { setTimeout(resolve, 5) })
          return ids.map((id) => `${id} v${version}`)
        }
      }
      await cache.getMany([1, 2, 3], options)
      clock.milliseconds += 9_990
      random = 0.999_999
      t.strictSame(await cache.getMany([1, 2, 3], options), ['1 v1', '2 v1', '3 v1'], 'the fresh ones, at once')
      random = 0
      await eventually(async () => await cache.get(key(1)) === '1 v2')
      t.strictSame(asked, [[1, 2, 3], [1, 2, 3]])
    })

    t.test('the loader rules its values: ttl and tags hold for all that it loaded', async (t) => {
      const { cache, clock } = await store.build(t)
      const options: UserOptions = {
        key,
        ttl: '1h',
        tags: ['users'],
        load: (ids, { ttl, tags }) => { ttl('1s'); tags('loaded'); return ids.map(String) }
      }
      for (const tag of ['users', 'loaded']) {
        await cache.getMany([1, 2], options)
        t.strictSame([await cache.has(key(1)), await cache.has(key(2))], [true, true])
        await cache.invalidateTags(tag)
        t.strictSame([await cache.has(key(1)), await cache.has(key(2))], [false, false], tag)
      }
      await cache.getMany([1, 2], options)
      clock.milliseconds += 1_000
      t.strictSame([await cache.has(key(1)), await cache.has(key(2))], [false, false], 'over after the ttl')
      await cache.getMany<string, number>([1, 2], { ...options, negativeTtl: '1h', load: (ids, { ttl }) => { ttl(0); return ids.map((id) => id === 1 ? 'a' : undefined) } })
      t.strictSame([await cache.has(key(1)), await cache.has(key(2))], [false, false], 'ttl(0) keeps nothing, not that there is none either')
    })

    t.test('a tag that is invalidated while a batch with it loads voids all of it', async (t) => {
      const { cache } = await store.build(t)
      const entrance = gate<string[]>()
      const call = cache.getMany([1, 2], { key, load: entrance.pass, tags: ['users'] })
      await entrance.arrived()
      await cache.invalidateTags('users')
      entrance.open(['old 1', 'old 2'])
      t.strictSame(await call, ['old 1', 'old 2'])
      t.strictSame([await cache.has(key(1)), await cache.has(key(2))], [false, false])
    })

    t.test('an id that the source no longer has is not given out stale once a load has said so', async (t) => {
      const { cache, clock } = await store.build(t)
      const options = { key, ttl: '1s', stale: '1h' }
      await cache.getMany([1, 2], { ...options, load: (ids: number[]) => ids.map(String) })
      clock.milliseconds += 1_000
      const load = (ids: number[]) => ids.map((id) => id === 1 ? undefined : 'new')
      const renewed = async () => {
        const [first, second] = await cache.getMany<string, number>([1, 2], { ...options, load })
        return first === undefined && second === 'new'
      }
      await t.resolves(eventually(renewed, 1_000))
    })

    t.test('an aborted signal rejects the call with its reason, and the loader is told', async (t) => {
      const { cache } = await store.build(t)
      const controller = new AbortController()
      const entrance = gate<string[]>()
      let signal: AbortSignal | undefined
      await cache.set(key(1), 'kept')
      const call = cache.getMany([1, 2, 3], { key, signal: controller.signal, load: (_ids, context) => { signal = context.signal; return entrance.pass() } })
      await entrance.arrived()
      const reason = new Error('the client left')
      controller.abort(reason)
      t.equal(await call.catch((error: unknown) => error), reason)
      t.equal(signal?.aborted, true)
      t.equal(signal?.reason, reason)
      await t.rejects(cache.getMany([1], { key, signal: controller.signal, load: () => ['x'] }), reason)
      entrance.open(['b', 'c'])
    })

    t.test('one of two batches that share a load can leave, and the load goes on for the other', async (t) => {
      const { cache } = await store.build(t)
      const controller = new AbortController()
      const entrance = gate<string[]>()
      let signal: AbortSignal | undefined
      const load = (_ids: number[], context: { signal: AbortSignal }) => { signal = context.signal; return entrance.pass() }
      const leaving = cache.getMany([1, 2], { key, signal: controller.signal, load })
      await entrance.arrived()
      const staying = cache.getMany([2], { key, signal: new AbortController().signal, load: () => ['own'] })
      controller.abort(new Error('left'))
      await t.rejects(leaving, { message: 'left' })
      t.equal(signal?.aborted, false)
      entrance.open(['a', 'b'])
      t.strictSame(await staying, ['b'])
    })

    t.test('at the very end of its time a value is over, unless it may be given out stale', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.set(key(1), 'over', { ttl: '1s', staleOnError: '1h' })
      clock.milliseconds += 1_000
      t.strictSame(await cache.getMany([1], { key, load: () => ['loaded'] }), ['loaded'])
    })

    t.test('a batch that takes too long fails for what is not at hand, and what it brings is kept', async (t) => {
      const { cache, clock } = await store.build(t)
      await cache.set(key(1), 'stale', { ttl: '1s', staleOnError: '1h' })
      clock.milliseconds += 1_001
      const entrance = gate<string[]>()
      const options = { key, load: entrance.pass, hardTimeout: 20, staleOnError: '1h' }
      const results = await cache.getMany([1, 2], { ...options, settle: true })
      t.match(results, [{ status: 'fulfilled', value: 'stale' }, { status: 'rejected', reason: { code: 'FST_HEADROOM_CACHE_TIMEOUT', statusCode: 504 } }])
      entrance.open(['late 1', 'late 2'])
      await eventually(async () => await cache.get(key(2)) === 'late 2')
      t.equal(await cache.get(key(1)), 'late 1')
      t.equal(entrance.arrivals, 1)
    })

    t.test('with clone each place has a copy of its own, the same id too; without, plain values come frozen', async (t) => {
      const { cache } = await store.build(t)
      const load = (ids: number[]) => ids.map((id) => ({ id }))
      for (let time = 0; time < 2; time++) {
        const [first, second] = await cache.getMany([1, 1], { key, load, clone: true })
        t.not(first, second)
        first!.id = 99
        t.strictSame(second, { id: 1 })
        const settled = await cache.getMany([1, 1], { key, load, clone: true, settle: true })
        t.match(settled, [{ value: { id: 1 } }, { value: { id: 1 } }])
      }
      t.ok((await cache.getMany([1], { key, load })).every((value) => Object.isFrozen(value)))
    })
  })
}

t.test('a large batch with a signal leaves no listeners behind, and warns of none', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const warnings: Error[] = []
  const onWarning = (warning: Error) => { warnings.push(warning) }
  process.on('warning', onWarning)
  t.teardown(() => { process.off('warning', onWarning) })
  const { signal } = new AbortController()
  const ids = Array.from({ length: 2_000 }, (_, index) => index)
  t.equal((await cache.getMany(ids, { key, signal, load: async (asked) => asked.map(String) })).length, 2_000)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(warnings, [])
})
