import t from 'tap'
import type { Resource } from '../../plugins/cache/index.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { stores } from './stores.js'

stayAwake(t)

const REENTRY = { code: 'FST_HEADROOM_CACHE_REENTRY' }
const byId = { key: (id: string) => id }

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    t.test('a load that asks for its own key fails at once, by whatever way it asks', async (t) => {
      const { cache } = await store.build(t)
      const all: Resource<unknown, number> = cache.resource<unknown, number>('all', { load: (id) => all.get(id), loadMany: (ids) => all.getMany(ids) })
      const ask = async (): Promise<unknown> => await cache.getOrSet('a', ask)
      /** For each key, how it is loaded: from the next. */
      const next = new Map([['x', 'y'], ['y', 'x'], ['p', 'q'], ['q', 'r'], ['r', 'p']])
      const follow = async (key: string): Promise<unknown> => await cache.getOrSet(key, () => follow(next.get(key)!))
      await t.rejects(ask(), { ...REENTRY, message: 'cache: a load waits for itself: a → a' }, 'directly')
      await t.rejects(follow('x'), { ...REENTRY, message: /: (x → y → x|y → x → y)$/ }, 'through another key')
      await t.rejects(follow('p'), { ...REENTRY, message: /: (p → q → r → p|q → r → p → q|r → p → q → r)$/ }, 'through two')
      await t.rejects(cache.getOrSet('b', () => cache.getMany(['c', 'b'], { ...byId, load: (ids) => ids })), REENTRY, 'through a batch')
      await t.rejects(cache.getMany(['d', 'e'], { ...byId, load: async (ids) => [await cache.getOrSet(ids[1]!, () => 1), 2] }), REENTRY, 'of a batch')
      await t.rejects(cache.getOrSet('f', async () => await Promise.all([cache.getOrSet('g', () => 1), cache.getOrSet('f', () => 1)])), REENTRY, 'beside others')
      await t.rejects(all.get(1), REENTRY, 'of a resource')
      await t.rejects(all.getMany([2]), REENTRY, 'of several of a resource')
    })

    t.test('a load may catch the error, and is not harmed by it', async (t) => {
      const { cache } = await store.build(t)
      const load = async (): Promise<string> => await cache.getOrSet('a', load).catch(() => 'without itself')
      t.equal(await cache.getOrSet('a', load), 'without itself')
      t.equal(await cache.get('a'), 'without itself')
    })

    t.test('of two requests whose loads would wait for each other, one fails at once', async (t) => {
      const { cache } = await store.build(t)
      const both = gate()
      const failures: unknown[] = []
      const loadOf = (other: string) => async (): Promise<string> => {
        await both.pass()
        return await cache.getOrSet(other, () => t.fail('the other is being loaded')).catch((error: unknown) => {
          failures.push(error)
          return 'fallback'
        }) as string
      }
      const callers = [cache.getOrSet('a', loadOf('b')), cache.getOrSet('b', loadOf('a'))]
      await both.arrived(2)
      both.open()
      t.strictSame(await Promise.all(callers), ['fallback', 'fallback'])
      t.match(failures, [REENTRY])
      t.equal(failures.length, 1)
    })

    t.test('two loads may wait for a third, and one for a key of a batch', async (t) => {
      const { cache } = await store.build(t)
      const third = gate<number>()
      const ask = (): Promise<number> => cache.getOrSet('third', third.pass)
      const top = cache.getOrSet('top', async () => {
        const [left, right, own] = await Promise.all([cache.getOrSet('left', ask), cache.getOrSet('right', ask), ask()])
        return left + right + own
      })
      await third.arrived()
      const beside = cache.getMany(['x', 'y'], { ...byId, load: async () => [await ask(), await ask()] })
      third.open(1)
      t.equal(await top, 3)
      t.strictSame(await beside, [1, 1])
      t.equal(third.arrivals, 1)
    })

    t.test('what a load starts without waiting for it may ask for the same key, once the load has ended', async (t) => {
      const { cache } = await store.build(t)
      const other = gate<string>()
      const running = cache.getOrSet('other', other.pass)
      await other.arrived()
      const after = gate()
      let atOnce!: Promise<string>
      let later!: Promise<string>
      const value = await cache.getOrSet('a', () => {
        // By then the load has ended, and its value is on its way to Redis.
        atOnce = new Promise((resolve) => { setImmediate(resolve) }).then(() => cache.getOrSet('a', () => 'value'))
        atOnce.catch(() => {})
        later = after.pass().then(() => cache.getOrSet('a', () => 'anew'))
        return 'value'
      })
      t.equal(value, 'value')
      t.equal(await atOnce, 'value')
      await cache.delete('a')
      after.open()
      t.equal(await later, 'anew')
      other.open('other')
      await running
    })

    t.test('a request may load one key twice, one after the other, in a load too', async (t) => {
      const { cache } = await store.build(t)
      const value = await cache.getOrSet('a', async () => {
        const first = await cache.getOrSet('b', () => 1)
        await cache.delete('b')
        return first + await cache.getOrSet('b', () => 2)
      })
      t.equal(value, 3)
    })

    t.test('a load that has deleted its own key may ask for it: that waits for a new load, not for itself', async (t) => {
      const { cache } = await store.build(t)
      const value = await cache.getOrSet('a', async () => {
        await cache.delete('a')
        return `outer of ${await cache.getOrSet('a', () => 'inner')}`
      })
      t.equal(value, 'outer of inner')
      t.equal(await cache.get('a'), 'inner', 'what began before the delete is not kept')
    })

    t.test('a refresh in the background may be started by the load that it asks for', async (t) => {
      const { cache, clock } = await store.build(t)
      const stale = { ttl: '10s', stale: '1m' }
      await cache.getOrSet('old', () => 'old', stale)
      clock.milliseconds += 10_001
      const refreshed = gate<string>()
      const held = gate<string>()
      const outer = cache.getOrSet('outer', async () => {
        const old = await cache.getOrSet('old', async () => await refreshed.pass() + await cache.getOrSet('outer', () => 'never'), stale)
        return old + await held.pass()
      })
      await Promise.all([held.arrived(), refreshed.arrived()])
      refreshed.open('new of ')
      held.open(' and more')
      t.equal(await outer, 'old and more')
      t.equal(await cache.getOrSet('old', () => 'never'), 'new of old and more')
    })

    t.test('loads of several ids of a resource go side by side: one may ask for another', async (t) => {
      const { cache } = await store.build(t)
      const parents = new Map([[2, 1], [3, 2]])
      const categories = cache.resource('categories', {
        async load (id: number): Promise<string> {
          const parent = parents.get(id)
          return parent === undefined ? `${id}` : `${await categories.get(parent)}/${id}`
        }
      })
      t.strictSame(await categories.getMany([1, 2, 3]), ['1', '1/2', '1/2/3'])
    })

    t.test('a batch may refresh an id that was asked for with those that it loads, and that was at hand', async (t) => {
      const { cache } = await store.build(t)
      const pages: Resource<string, string> = cache.resource<string, string>('pages', {
        load: (id) => `new ${id}`,
        loadMany: async (ids) => { await pages.refresh('a'); return ids.map((id) => `new ${id}`) }
      })
      await cache.set('pages:a', 'old a')
      t.strictSame(await pages.getMany(['a', 'b']), ['old a', 'new b'])
      t.strictSame(await pages.getMany(['a', 'b']), ['new a', 'new b'])
      t.equal(cache.stats().loads, 2)
      await cache.delete('pages:a')
      await t.rejects(pages.getMany(['a', 'c']), REENTRY, 'one that it loads itself it may not')
    })

    t.test('a load of a resource that refreshes itself fails at once', async (t) => {
      const { cache } = await store.build(t)
      let loads = 0
      const users = cache.resource('users', { load: async (id: number): Promise<string> => ++loads < 50 ? await users.refresh(id) : 'fifty loads deep' })
      await t.rejects(users.get(1), REENTRY)
      t.ok(loads < 3)
    })
  })
}
