import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { stayAwake } from './awake.js'
import { stores } from './stores.js'

stayAwake(t)

const unhandled: unknown[] = []
const listener = (reason: unknown): void => { unhandled.push(reason) }
process.on('unhandledRejection', listener)
t.teardown(() => process.off('unhandledRejection', listener))

const thrown: Array<[title: string, value: unknown]> = [
  ['undefined', undefined], ['null', null], ['zero', 0], ['a string', 'away'], ['a symbol', Symbol('away')],
  ['a frozen error', Object.freeze(new Error('frozen'))], ['a frozen object', Object.freeze({ code: 1 })], ['a function', () => {}],
  ['an object without prototype', Object.create(null)],
  ['a proxy that throws whatever is asked', new Proxy({}, { get () { throw new Error('trap') }, getPrototypeOf () { throw new Error('trap') }, has () { throw new Error('trap') } })]
]

const thenables: Array<[title: string, make: () => unknown, outcome: 'resolved' | 'rejected']> = [
  ['settles twice', () => ({ then (resolve: (value: unknown) => void, reject: (error: unknown) => void) { resolve('first'); resolve('second'); reject(new Error('third')) } }), 'resolved'],
  ['throws after it has resolved', () => ({ then (resolve: (value: unknown) => void) { resolve('first'); throw new Error('late') } }), 'resolved'],
  ['throws', () => ({ then () { throw new Error('then') } }), 'rejected'],
  ['has a then that cannot be read', () => ({ get then () { throw new Error('getter') } }), 'rejected'],
  ['resolves with another that rejects', () => ({ then (resolve: (value: unknown) => void) { resolve(Promise.reject(new Error('inner'))) } }), 'rejected']
]

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    for (const [title, reason] of thrown) {
      t.test(`a load that throws ${title}, at once or later, fails each of its callers with just that`, async (t) => {
        const { cache } = await store.build(t)
        for (const load of [(): never => { throw reason }, async (): Promise<never> => { await turn(); throw reason }]) {
          const outcomes = await Promise.allSettled([
            cache.getOrSet('a', load), cache.getOrSet('a', load), cache.getMany(['a', 'b'], { key: (id) => id, load }),
            cache.resource(`r${Math.random()}`, { load }).get(1)
          ])
          for (const outcome of outcomes) t.ok(outcome.status === 'rejected' && outcome.reason === reason)
        }
        t.equal(await cache.getOrSet('a', () => 'still alive'), 'still alive')
      })
    }

    for (const [title, make, expected] of thenables) {
      t.test(`a load whose promise is none, and ${title}, settles its callers once`, async (t) => {
        const { cache } = await store.build(t)
        const outcome = await cache.getOrSet('a', make as () => Promise<unknown>).then((value) => ['resolved', value], (error: Error) => ['rejected', error.message])
        t.equal(outcome[0], expected)
        if (expected === 'resolved') t.equal(outcome[1], 'first')
        t.equal(await cache.getOrSet('b', () => 'still alive'), 'still alive')
      })
    }

    t.test('a failing load in the background, or one that everybody has left, rejects unheard nowhere', async (t) => {
      const { cache, clock } = await store.build(t)
      const stale = { ttl: '1s', stale: '1m' }
      await cache.getOrSet('a', () => 'old', stale)
      clock.milliseconds += 2_000
      t.equal(await cache.getOrSet('a', () => Promise.reject(new Error('away')), stale), 'old')
      const held = gate<string>()
      const leaving = new AbortController()
      const left = cache.getOrSet('b', held.pass, { signal: leaving.signal }).catch(() => 'left')
      await held.arrived()
      leaving.abort()
      t.equal(await left, 'left')
      held.fail(new Error('too late'))
      await t.rejects(cache.getOrSet('c', held.pass, { hardTimeout: '5ms' }))
      t.equal(await cache.getOrSet('d', () => 'still alive'), 'still alive')
    })

    t.test('callers of many keys that come, leave and fail at once each get what belongs to their own key', async (t) => {
      const { cache } = await store.build(t)
      const outcomes = await Promise.allSettled(Array.from({ length: 600 }, async (_, index) => {
        const key = `key ${index % 50}`
        const leaving = new AbortController()
        const caller = cache.getOrSet(key, async () => {
          await turn()
          if (index % 7 === 0) throw new Error(key)
          return key
        }, { signal: leaving.signal })
        if (index % 5 === 0) leaving.abort(new Error(key))
        return { key, value: await caller }
      }))
      for (const [index, outcome] of outcomes.entries()) {
        const key = `key ${index % 50}`
        t.match(outcome.status === 'fulfilled' ? outcome.value : { key: (outcome.reason as Error).message, value: key }, { key, value: key })
      }
    })

    t.test('and in all of that nothing has rejected unheard', async (t) => {
      await turn()
      t.strictSame(unhandled, [])
    })
  })
}
