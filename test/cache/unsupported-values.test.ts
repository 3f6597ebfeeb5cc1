import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { useRedis } from '../helpers/redis.js'
import { stores } from './stores.js'

class User {
  name = 'a secret name'
}
class Stack extends Array<number> {}
class Registry extends Map<string, number> {}
class Tags extends Set<string> {}

const detached = new ArrayBuffer(8)
structuredClone(detached, { transfer: [detached] })

const throwing = { name: 'a secret name', get later (): string { throw new Error('no connection any more') } }

const unsupported: Array<[title: string, value: unknown, part?: string]> = [
  ['a function', () => 'a secret name', 'a function'],
  ['a symbol', Symbol('a secret name'), 'a symbol'],
  ['a method', { user: { save () {} } }, 'a function'],
  ['a class instance', [new User()], 'an instance of User'],
  ['a class instance in a Map', new Map([['a secret name', new User()]]), 'an instance of User'],
  ['a class instance as a key', new Map([[new User(), 1]]), 'an instance of User'],
  ['a class instance in a Set', new Set([new User()]), 'an instance of User'],
  ['a promise', { rows: Promise.resolve(1) }, 'an instance of Promise'],
  ['a regular expression', /x/, 'an instance of RegExp'],
  ['an Error', new Error('a secret name'), 'an instance of Error'],
  ['a WeakMap', new WeakMap(), 'an instance of WeakMap'],
  ['an own kind of Buffer', new (class Bytes extends Uint8Array {})(2), 'an instance of Bytes'],
  ['an object with a prototype of its own', Object.create({ inherited: 1 })],
  ['an own kind of array', Stack.from([1])],
  ['an own kind of Map', new Registry([['a', 1]])],
  ['an own kind of Set', new Tags(['a'])],
  ['a Proxy, such as the arrays of some database mappers', new Proxy([1], {})],
  ['an array with a method', Object.assign([1], { save () {} })],
  ['a memory that was given away', detached],
  ['a property that throws when it is read', throwing]
]

for (const store of stores(await useRedis(t)).filter(({ name }) => !name.includes('5'))) {
  t.test(store.name, async (t) => {
    for (const [title, value, part] of unsupported) {
      t.test(`${title} is given out as it is, not kept, counted, and warned of without the value`, async (t) => {
        const { cache, log } = await store.build(t)
        const said: unknown[] = []
        const listener = (message: unknown): void => { said.push(message) }
        subscribe('headroom:cache:unsupported', listener)
        t.teardown(() => unsubscribe('headroom:cache:unsupported', listener))
        t.equal(await cache.getOrSet('a', () => value), value)
        t.equal(await cache.has('a'), false)
        t.equal(await cache.getOrSet('a', () => 'loaded again'), 'loaded again')
        t.match(cache.stats(), { loads: 2, unsupported: 1 })
        t.match(said, [{ key: 'a', part: part ?? String }])
        if (store.name.includes('@fastify')) return
        t.equal(log().length, 1)
        if (part !== undefined) t.match(log()[0], `cannot be kept because of ${part} in it`)
        t.notMatch(log()[0], 'a secret name')
      })

      t.test(`set with ${title} removes what was there, for it is no longer true`, async (t) => {
        const { cache } = await store.build(t)
        await cache.set('a', 'old')
        t.strictSame(await cache.set('a', value), { shared: store.redis })
        t.equal(await cache.has('a'), false)
        t.equal(cache.stats().unsupported, 1)
      })
    }
  })
}
