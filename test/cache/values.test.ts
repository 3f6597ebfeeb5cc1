import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { useRedis } from '../helpers/redis.js'
import { stores } from './stores.js'

const samples: Array<[title: string, make: () => unknown]> = [
  ['a string', () => 'Grüße 👋 \ud800'], ['the empty string', () => ''], ['zero', () => 0], ['minus zero', () => -0],
  ['NaN', () => NaN], ['Infinity', () => -Infinity], ['a BigInt', () => -(2n ** 70n)], ['true', () => true], ['false', () => false],
  ['undefined', () => undefined], ['null', () => null],
  ['a Date', () => new Date('2024-02-29T12:00:00.123Z')],
  ['a Map', () => new Map<unknown, unknown>([['a', { b: new Date(5) }], [{ k: 1 }, 2]])], ['a Set', () => new Set([1, 'x', { y: 2n }])],
  ['a Buffer', () => Buffer.from([0, 255, 128])], ['an empty Buffer', () => Buffer.alloc(0)], ['a large Buffer', () => Buffer.alloc(100_000, 7)],
  ['a Uint8Array', () => new Uint8Array([1, 2, 3])], ['a Float64Array', () => new Float64Array([1.5, -0, NaN])], ['a BigInt64Array', () => new BigInt64Array([-1n])],
  ['a part of an array', () => new Uint16Array([1, 2, 3, 4]).subarray(1, 3)], ['a DataView', () => new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)], ['an ArrayBuffer', () => new Uint8Array([9, 8]).buffer],
  ['an array', () => [1, [2, [3, []]], 'x', undefined, null]], ['an array with a hole', () => { const array = [1, 2, 3]; delete array[1]; return array }], // eslint-disable-line @typescript-eslint/no-array-delete
  ['rows', () => [{ id: 1, at: new Date(1), tags: ['a'], big: 10n, raw: Buffer.from('x'), none: undefined, zero: -0 }]],
  ['an object with numeric and empty keys', () => ({ 2: 'b', 1: 'a', '': 'empty' })]
]

/** Made once: for strings of any character it makes a table of all of them. */
const anything = fc.anything({
  values: [
    fc.boolean(), fc.integer(), fc.double(), fc.string({ unit: 'binary' }), fc.constantFrom(null, undefined, -0, NaN), fc.bigInt(),
    // Node's own assertion takes no invalid Date to be equal to another.
    fc.date({ noInvalidDate: true })
  ],
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withSparseArray: true,
  maxDepth: 4
})

for (const store of stores(await useRedis(t))) {
  t.test(store.name, async (t) => {
    const { cache } = await store.build(t)

    for (const [title, make] of samples) {
      t.test(`${title} comes back as it went in, from the first call on`, async () => {
        const key = title
        deepStrictEqual(await cache.getOrSet(key, make), make())
        deepStrictEqual(await cache.getOrSet(key, () => 'loaded again'), make())
        deepStrictEqual(await cache.get(key), make())
        await cache.set(key, make())
        deepStrictEqual(await cache.get(key), make())
      })
    }

    t.test('any value of plain and built-in parts comes back as it went in', async () => {
      await fc.assert(fc.asyncProperty(anything, async (value) => {
        await cache.delete('any')
        const first = await cache.getOrSet('any', () => value)
        deepStrictEqual(first, value)
        deepStrictEqual(await cache.getOrSet('any', () => 'loaded again'), value)
      }), { numRuns: 100 })
    })

    t.test('an invalid Date stays one', async (t) => {
      for (const value of [await cache.getOrSet('invalid', () => new Date(NaN)), await cache.getOrSet('invalid', () => new Date(0))]) {
        t.ok(value instanceof Date)
        t.ok(Number.isNaN(value.getTime()))
      }
    })

    t.test('a circle comes back as a circle', async (t) => {
      const make = () => {
        const parent = { name: 'parent', children: [] as object[] }
        parent.children.push({ parent })
        return parent
      }
      for (const value of [await cache.getOrSet('circle', make), await cache.getOrSet('circle', make)]) {
        t.equal((value.children[0] as { parent: object }).parent, value)
        t.ok(Object.isFrozen(value.children[0]))
      }
    })

    t.test('a part that stands in two places is still one part', async (t) => {
      const part = { n: 1 }
      const make = () => ({ a: part, b: part })
      for (const value of [await cache.getOrSet('twice', make), await cache.getOrSet('twice', make)]) t.equal(value.a, value.b)
    })

    t.test('__proto__ in a value is a key like any other, and pollutes nothing', async (t) => {
      const make = () => JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"list":[{"__proto__":[1]}]}') as object
      for (const value of [await cache.getOrSet('proto', make), await cache.getOrSet('proto', make)]) {
        t.equal(JSON.stringify(value), JSON.stringify(make()))
        t.equal(Object.getPrototypeOf(value), Object.prototype)
        t.notOk('admin' in value)
      }
      t.notOk('admin' in {})
    })

    t.test('what stays with the loader or the caller of set can be changed without the cache changing', async (t) => {
      const mine = { list: [1], when: new Date(0) }
      await cache.getOrSet('mine', () => mine)
      mine.list.push(2)
      mine.when.setTime(99)
      t.strictSame(await cache.get('mine'), { list: [1], when: new Date(0) })
      const plain = { list: [1] }
      await cache.set('plain', plain)
      plain.list.push(2)
      t.strictSame(await cache.get('plain'), { list: [1] })
      t.notOk(Object.isFrozen(plain), 'and is not frozen')
    })

    t.test('plain values are frozen in depth, so that no caller changes what another sees', async (t) => {
      const load = () => ({ user: { name: 'Ada', roles: ['admin'] } })
      const [first, second] = await Promise.all([cache.getOrSet('frozen', load), cache.getOrSet('frozen', load)])
      const third = await cache.getOrSet('frozen', load)
      for (const value of [first, second, third]) {
        t.throws(() => { value.user.name = 'Eve' }, TypeError)
        t.throws(() => value.user.roles.push('root'), TypeError)
      }
      t.strictSame(await cache.get('frozen'), load())
    })

    t.test('what cannot be frozen is a copy for each caller', async () => {
      const load = () => ({ at: new Date(0), map: new Map([['a', [1]]]), set: new Set([1]), buffer: Buffer.from('abc'), floats: new Float64Array([1]), raw: new Uint8Array([1]).buffer })
      const values = [...await Promise.all([cache.getOrSet('rich', load), cache.getOrSet('rich', load)]), await cache.getOrSet('rich', load)]
      for (const value of values) {
        deepStrictEqual(value, load(), 'as if nobody had touched it')
        value.at.setTime(1)
        value.map.get('a')!.push(2)
        value.map.set('b', [])
        value.set.clear()
        value.buffer.fill(0)
        value.floats[0] = 9
        new Uint8Array(value.raw)[0] = 9
      }
      deepStrictEqual(await cache.get('rich'), load())
    })

    t.test('binary parts come alone: what lies behind their memory holds nothing else', async (t) => {
      await cache.set('secret', Buffer.from('somebody else'))
      const load = () => ({ bytes: new Uint8Array([1, 2, 3]), floats: new Float64Array([1, 2]) })
      for (const value of [await cache.getOrSet('binary', load), await cache.getOrSet('binary', load)]) {
        t.equal(value.bytes.buffer.byteLength, 3)
        t.equal(value.floats.buffer.byteLength, 16)
      }
    })
  })
}
