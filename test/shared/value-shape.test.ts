import t from 'tap'
import { inspectValue } from '../../plugins/shared/value-shape.js'

const unsupported = (part: string) => ({ unsupported: part })

t.test('what JSON gives back exactly is json', async (t) => {
  for (const value of [1, 0, -1.5, 'x', '\ud800', true, null, [], {}, { a: [{ b: null }] }, JSON.parse('{"__proto__":1}'), Object.create(null)]) {
    t.equal(inspectValue(value), 'json')
  }
})

t.test('what JSON would change or refuse is plain, however deep it lies', async (t) => {
  const part = {}
  const named = Object.assign(['x'], { index: 1 })
  const holey = [1, 2, 3]
  delete holey[1] // eslint-disable-line @typescript-eslint/no-array-delete
  const moved = Object.assign([1, 2], { 'not an index': 3 })
  delete moved[0] // eslint-disable-line @typescript-eslint/no-array-delete
  const values = [
    undefined, 1n, NaN, Infinity, -0, { a: undefined }, [undefined], [part, part], named, holey, moved, { toJSON: 'a text' },
    Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'something else' })
  ]
  for (const value of values) {
    t.equal(inspectValue(value), 'plain')
    t.equal(inspectValue({ a: [value] }), 'plain')
  }
})

t.test('a toJSON that somebody put on a prototype is seen', async (t) => {
  Object.assign(Array.prototype, { toJSON: () => 'something else' })
  t.teardown(() => { Reflect.deleteProperty(Array.prototype, 'toJSON') })
  t.equal(inspectValue([1]), 'plain')
})

t.test('what a copy would leave out is refused', async (t) => {
  const symbol = Symbol('secret')
  for (const value of [{}, [], new Map(), new Date(), Buffer.alloc(2)]) t.strictSame(inspectValue(Object.assign(value, { [symbol]: 1 })), unsupported('a symbol as a key'))
  for (const [value, name] of [
    [new Map(), 'Map'], [new Set(), 'Set'], [new Date(), 'Date'], [Buffer.from('x'), 'Buffer'], [new Float64Array([NaN]), 'Float64Array'],
    [new ArrayBuffer(1), 'ArrayBuffer'], [new DataView(new ArrayBuffer(1)), 'DataView'], [Buffer.alloc(100).subarray(3, 50), 'Buffer']
  ] as const) {
    t.equal(inspectValue(value), 'rich')
    t.strictSame(inspectValue([Object.assign(value, { secret: 1 })]), unsupported(`a property added to an instance of ${name}`))
  }
  t.strictSame(inspectValue({ rows: new Proxy([1], {}) }), unsupported('a Proxy'))
})

t.test('of an instance of a class its class is told, whatever is on it', async (t) => {
  t.strictSame(inspectValue(Object.assign(Promise.resolve(), { [Symbol('secret')]: 1 })), unsupported('an instance of Promise'))
})

t.test('what is not enumerable is no part of a value, as in every copy', async (t) => {
  t.equal(inspectValue(Object.defineProperties([1], { meta: { value: () => {} }, [Symbol('meta')]: { value: () => {} } })), 'json')
})

t.test('what only has the prototype of a built-in is refused', async (t) => {
  for (const { prototype } of [Array, Date, Map, Set, ArrayBuffer, DataView, Uint8Array, Buffer]) {
    t.match(inspectValue(Object.create(prototype as object)), { unsupported: /^an instance of / })
  }
})

t.test('one rich part makes the whole rich', async (t) => {
  for (const value of [new Date(), new Map(), new Set(), Buffer.alloc(1), new Uint8Array(1), new ArrayBuffer(1)]) {
    t.equal(inspectValue(value), 'rich')
    t.equal(inspectValue({ a: [1, value] }), 'rich')
    t.equal(inspectValue(new Map([[value, value]])), 'rich')
  }
})

t.test('what cannot be kept is named by its kind, and not by the keys that lead there', async (t) => {
  t.strictSame(inspectValue({ secret: { key: [1, () => {}] } }), unsupported('a function'))
  t.strictSame(inspectValue([Symbol('secret')]), unsupported('a symbol'))
  t.strictSame(inspectValue(new Map([['secret', /x/]])), unsupported('an instance of RegExp'))
})

t.test('five hundred levels are kept, and what is deeper is refused rather than overflow the stack', async (t) => {
  const nested = (levels: number): unknown => {
    let value: unknown = 'end'
    for (let level = 0; level < levels; level++) value = [value]
    return value
  }
  t.equal(inspectValue(nested(501)), 'json')
  t.match(inspectValue(nested(502)), { unsupported: /deep/ })
  t.match(inspectValue(nested(100_000)), { unsupported: /deep/ })
})

t.test('circles through objects, arrays, Maps and Sets come to an end', async (t) => {
  const object: Record<string, unknown> = {}
  object.self = object
  const array: unknown[] = []
  array.push(array)
  const map = new Map()
  map.set('a', map)
  const set = new Set()
  set.add([set])
  for (const [circular, shape] of [[object, 'plain'], [array, 'plain'], [map, 'rich'], [set, 'rich']]) t.equal(inspectValue(circular), shape)
})

t.test('the same part in many places is looked at once, however often it is named', async (t) => {
  let visits = 0
  let value: unknown = { get leaf () { visits++; return 1 } }
  for (let level = 0; level < 16; level++) value = [value, value]
  inspectValue(value)
  t.ok(visits < 100, `${visits} visits`)
})

t.test('a nearly empty array of great length takes no time', async (t) => {
  const array: number[] = []
  array.length = 50_000_000
  const began = performance.now()
  inspectValue(array)
  t.ok(performance.now() - began < 100, `${performance.now() - began} ms`)
})
