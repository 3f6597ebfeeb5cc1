import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stores } from './stores.js'

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    t.test('one thousand concurrent misses of one key call the loader once', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<{ name: string }>()
      let loads = 0
      const callers = Array.from({ length: 1_000 }, () => cache.getOrSet('user:1', () => {
        loads++
        return held.pass()
      }))
      held.open({ name: 'Ada' })
      const values = await Promise.all(callers)
      t.equal(loads, 1)
      t.equal(values.length, 1_000)
      t.ok(values.every((value) => value.name === 'Ada'))
      t.match(cache.stats(), { loads: 1, shared: 999 })
    })

    t.test('misses of different keys do not wait for one another', async (t) => {
      const { cache } = await store.build(t)
      const slow = gate<number>()
      const first = cache.getOrSet('slow', slow.pass)
      await slow.arrived()
      t.equal(await cache.getOrSet('fast', () => 2), 2)
      slow.open(1)
      t.equal(await first, 1)
    })

    t.test('a kept value is given out without a load', async (t) => {
      const { cache } = await store.build(t)
      await cache.getOrSet('a', () => 1)
      t.equal(await cache.getOrSet('a', () => t.fail('must not be loaded')), 1)
      t.equal(cache.stats().loads, 1)
      t.equal(cache.stats().memoryHits + cache.stats().redisHits >= 1, true)
    })

    t.test('all who wait for a failing load get its very error, and it is not kept', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<number>()
      const callers = Array.from({ length: 100 }, () => cache.getOrSet('a', held.pass))
      const settled = Promise.allSettled(callers)
      const error = new Error('database down')
      await held.arrived()
      held.fail(error)
      for (const outcome of await settled) t.equal(outcome.status === 'rejected' && outcome.reason, error)
      t.equal(await cache.getOrSet('a', () => 2), 2, 'the next caller loads anew')
      t.match(cache.stats(), { loads: 2, loadErrors: 1 })
    })

    t.test('a loader need not be async', async (t) => {
      const { cache } = await store.build(t)
      t.equal(await cache.getOrSet('a', () => 7), 7)
      t.equal(await cache.getOrSet('a', () => 8), 7)
    })

    t.test('what a loader throws before its first await rejects, and is not thrown at the caller', async (t) => {
      const { cache } = await store.build(t)
      const error = new RangeError('no such thing')
      const answer = cache.getOrSet('a', () => { throw error })
      await t.rejects(answer, error)
      t.equal(await cache.has('a'), false)
    })

    t.test('a load that throws undefined rejects all the same', async (t) => {
      const { cache } = await store.build(t)
      const outcome = await cache.getOrSet('a', () => Promise.reject()).then(() => 'resolved', () => 'rejected') // eslint-disable-line @typescript-eslint/prefer-promise-reject-errors, prefer-promise-reject-errors
      t.equal(outcome, 'rejected')
    })

    t.test('options that are no object reject, whether the value is at hand or not, and are not thrown at the caller', async (t) => {
      const { cache } = await store.build(t)
      await cache.set('kept', 1)
      for (const key of ['kept', 'not kept']) {
        for (const options of [null, 5, '1m', true]) {
          let asked: Promise<unknown> | undefined
          t.doesNotThrow(() => { asked = cache.getOrSet(key, () => t.fail('must not be loaded'), options as never) })
          await t.rejects(asked!, { code: 'FST_HEADROOM_CACHE_OPTION' }, `${key}, ${String(options)}`)
        }
      }
    })

    t.test('null and undefined are kept like any other value', async (t) => {
      const { cache } = await store.build(t)
      for (const [key, value] of [['n', null], ['u', undefined]] as const) {
        t.equal(await cache.getOrSet(key, () => value), value)
        t.equal(await cache.getOrSet<unknown>(key, () => 'loaded again'), value)
        t.equal(await cache.has(key), true)
        t.equal(await cache.get(key), value)
      }
    })

    t.test('a caller that comes while a load is under way shares it, whatever loader it brought', async (t) => {
      const { cache } = await store.build(t)
      const held = gate<string>()
      const first = cache.getOrSet('a', held.pass)
      await held.arrived()
      const second = cache.getOrSet('a', () => { throw new Error('must not be called') })
      held.open('first')
      t.strictSame(await Promise.all([first, second]), ['first', 'first'])
    })

    t.test('a load may ask the cache for other keys', async (t) => {
      const { cache } = await store.build(t)
      const value = await cache.getOrSet('outer', async () => `outer of ${await cache.getOrSet('inner', () => 'inner')}`)
      t.equal(value, 'outer of inner')
    })

    t.test('get, has, set and delete keep their word', async (t) => {
      const { cache } = await store.build(t)
      t.equal(await cache.get('a'), undefined)
      t.equal(await cache.has('a'), false)
      t.strictSame(await cache.set('a', { n: 1 }), { shared: store.redis })
      t.strictSame(await cache.get('a'), { n: 1 })
      t.equal(await cache.has('a'), true)
      t.strictSame(await cache.getOrSet('a', () => t.fail('must not be loaded')), { n: 1 })
      t.strictSame(await cache.set('a', { n: 2 }), { shared: store.redis })
      t.strictSame(await cache.get('a'), { n: 2 })
      t.strictSame(await cache.delete('a'), { shared: store.redis })
      t.equal(await cache.get('a'), undefined)
      t.equal(await cache.has('a'), false)
      t.strictSame(await cache.delete('never there'), { shared: store.redis })
      t.equal(await cache.getOrSet('a', () => 'new'), 'new', 'a deleted key is loaded again')
      t.equal(await cache.getOrSet('a', () => 'newer'), 'new', 'and kept again')
    })

    t.test('of two sets at once the later one stands', async (t) => {
      const { cache } = await store.build(t)
      await Promise.all([cache.set('a', 1), cache.set('a', 2)])
      const value = await cache.get('a')
      t.equal(value ?? 2, 2)
    })

    t.test('stats count what happened', async (t) => {
      const { cache } = await store.build(t)
      const before = cache.stats()
      await cache.getOrSet('a', () => 1)
      await cache.getOrSet('a', () => 1)
      await cache.get('nothing')
      await cache.getOrSet('bad', () => { throw new Error('x') }).catch(() => {})
      const now = cache.stats()
      t.equal(now.loads - before.loads, 2)
      t.equal(now.loadErrors - before.loadErrors, 1)
      t.equal(now.misses - before.misses, 3)
      t.equal(now.memoryHits - before.memoryHits, store.memory ? 1 : 0)
      t.equal(now.redisHits - before.redisHits, store.memory ? 0 : 1)
      t.equal(now.entries > 0, store.memory)
      t.equal(now.bytes > 0, store.memory)
    })

    t.test('a miss is counted where nothing was found, not where a value is loaded anew ahead of its end or by a refresh', async (t) => {
      const { cache, clock } = await store.build(t, { random: () => 1 - Number.EPSILON })
      const users = cache.resource('user', { ttl: '10s', jitter: 0, refreshAhead: 100, load: async (id: number) => await delay(5, `name of ${id}`) })
      const before = cache.stats()
      const counted = (count: 'misses' | 'loads'): number => cache.stats()[count] - before[count]
      await users.get(1)
      t.strictSame([counted('misses'), counted('loads')], [1, 1])
      await users.refresh(1)
      await users.refresh(2)
      t.strictSame([counted('misses'), counted('loads')], [1, 3])
      clock.milliseconds += 9_999
      await users.get(1)
      await users.getMany([1, 2])
      await eventually(() => counted('loads') === 5)
      t.equal(counted('misses'), 1)
    })
  })
}
