import t from 'tap'
import type { LoadMany } from '../../plugins/cache/index.js'
import { useRedis } from '../helpers/redis.js'
import { stores } from './stores.js'

const redis = await useRedis(t)

const key = (id: number | string) => `user:${id}`

/** A bulk loader of names, and what it was asked for. */
function names (missing: readonly unknown[] = []) {
  const asked: Array<Array<number | string>> = []
  const load: LoadMany<string, number | string> = (ids) => {
    asked.push([...ids])
    return ids.map((id) => missing.includes(id) ? undefined : `name of ${id}`)
  }
  return { asked, load }
}

for (const store of stores(redis)) {
  t.test(store.name, async (t) => {
    t.test('values come in the order of the ids, and the loader is asked once for what is not kept', async (t) => {
      const { cache } = await store.build(t)
      await cache.set(key(2), 'kept')
      const { asked, load } = names()
      t.strictSame(await cache.getMany([3, 2, 1], { key, load }), ['name of 3', 'kept', 'name of 1'])
      t.strictSame(asked, [[3, 1]])
      t.strictSame(await cache.getMany([1, 2, 3], { key, load }), ['name of 1', 'kept', 'name of 3'])
      t.equal(asked.length, 1, 'what was loaded is kept')
      t.equal(await cache.get(key(3)), 'name of 3', 'under the key of its id')
    })

    t.test('an id that is asked for several times is loaded once, and comes in each of its places', async (t) => {
      const { cache } = await store.build(t)
      const { asked, load } = names()
      t.strictSame(await cache.getMany([2, 1, 2, '1', 2], { key, load }), ['name of 2', 'name of 1', 'name of 2', 'name of 1', 'name of 2'])
      t.strictSame(asked, [[2, 1]])
    })

    t.test('no ids are no values, and no load', async (t) => {
      const { cache } = await store.build(t)
      const { asked, load } = names()
      t.strictSame(await cache.getMany([], { key, load }), [])
      t.strictSame(await cache.getMany([], { key, load, settle: true }), [])
      t.equal(asked.length, 0)
    })

    t.test('five thousand ids are one load, and then kept', async (t) => {
      const { cache } = await store.build(t)
      const { asked, load } = names()
      const ids = Array.from({ length: 5_000 }, (_, index) => index)
      const expected = ids.map((id) => `name of ${id}`)
      t.strictSame(await cache.getMany(ids, { key, load }), expected)
      t.strictSame(await cache.getMany(ids, { key, load }), expected)
      t.strictSame(asked, [ids])
      t.equal(cache.stats().loads, 1)
      t.equal(cache.stats().redisErrors, 0)
    })

    t.test('an id that the loader leaves out is undefined, and is asked for again', async (t) => {
      const { cache } = await store.build(t)
      const { asked, load } = names([2])
      t.strictSame(await cache.getMany([1, 2], { key, load }), ['name of 1', undefined])
      t.equal(await cache.has(key(2)), false)
      t.strictSame(await cache.getMany([1, 2], { key, load: () => new Map() }), ['name of 1', undefined])
      await cache.getMany([1, 2], { key, load })
      t.strictSame(asked, [[1, 2], [2]])
    })

    t.test('with negativeTtl it is kept for that long that there is none', async (t) => {
      const { cache, clock } = await store.build(t)
      const { asked, load } = names([2])
      const options = { key, load, ttl: '1h', negativeTtl: '1s' }
      await cache.getMany([1, 2], options)
      t.strictSame(await cache.getMany([1, 2], options), ['name of 1', undefined])
      t.equal(await cache.has(key(2)), true)
      clock.milliseconds += 999
      await cache.getMany([1, 2], options)
      t.strictSame(asked, [[1, 2]])
      clock.milliseconds += 1
      await cache.getMany([1, 2], options)
      t.strictSame(asked, [[1, 2], [2]])
    })

    t.test('null is a value of its own, and kept as one', async (t) => {
      const { cache } = await store.build(t)
      const { asked, load } = names()
      t.strictSame(await cache.getMany([1], { key, load: () => [null] }), [null])
      t.strictSame(await cache.getMany([1], { key, load }), [null])
      t.equal(asked.length, 0)
    })

    t.test('a Map answers by id, in any order, with strings for numbers, and with more than was asked for', async (t) => {
      const { cache } = await store.build(t)
      const load: LoadMany<string, number | string> = () => new Map<number | string, string>([['3', 'c'], [9, 'not asked for'], [1, 'a']])
      t.strictSame(await cache.getMany<string, number | string>([1, 2, 3, '1'], { key, load }), ['a', undefined, 'c', 'a'])
      t.equal(await cache.has(key(9)), false)
      t.equal(await cache.get(key(3)), 'c')
    })

    t.test('an Error in one place fails that id alone, and the others are kept', async (t) => {
      const { cache } = await store.build(t)
      const bad = new Error('no such shard')
      const load: LoadMany<string, number> = () => ['a', bad, 'c']
      t.strictSame(await cache.getMany([1, 2, 3], { key, load, settle: true }), [
        { status: 'fulfilled', value: 'a' }, { status: 'rejected', reason: bad }, { status: 'fulfilled', value: 'c' }
      ])
      t.strictSame([await cache.get(key(1)), await cache.has(key(2)), await cache.get(key(3))], ['a', false, 'c'])
      t.equal(cache.stats().loadErrors, 1)
    })

    t.test('a loader that throws fails all that were asked of it, and none that was kept', async (t) => {
      const { cache } = await store.build(t)
      const error = new Error('database away')
      await cache.set(key(1), 'kept')
      const load = async () => { throw error }
      t.strictSame(await cache.getMany<string, number>([1, 2, 3], { key, load, settle: true }), [
        { status: 'fulfilled', value: 'kept' }, { status: 'rejected', reason: error }, { status: 'rejected', reason: error }
      ])
      const caught: unknown = await cache.getMany([1, 2, 3], { key, load }).catch((reason: unknown) => reason)
      t.equal(caught, error, 'the very error')
    })
  })
}
