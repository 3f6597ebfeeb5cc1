import t from 'tap'
import { deepFreeze, inspectValue } from '../../plugins/cache/value-shape.js'

const unsupported = (part: string) => ({ unsupported: part })

t.test('primitives, arrays and plain objects are plain', async (t) => {
  for (const value of [1, 'x', null, undefined, 1n, [], {}, { a: [{ b: null }] }, Object.create(null)]) t.equal(inspectValue(value), 'plain')
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
  t.equal(inspectValue(nested(501)), 'plain')
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
  t.ok(Object.isFrozen(deepFreeze(object)))
})

t.test('the same part in many places is looked at once, however often it is named', async (t) => {
  let visits = 0
  let value: unknown = { get leaf () { visits++; return 1 } }
  for (let level = 0; level < 16; level++) value = [value, value]
  inspectValue(value)
  t.ok(visits < 100, `${visits} visits`)
})

t.test('freezing takes each part once, however often it is named', async (t) => {
  let visits = 0
  let value: unknown = { get leaf () { visits++; return 1 } }
  for (let level = 0; level < 16; level++) value = [value, value]
  deepFreeze(value)
  t.ok(visits < 100, `${visits} visits`)
})

t.test('a nearly empty array of great length takes no time', async (t) => {
  const array: number[] = []
  array.length = 50_000_000
  const began = performance.now()
  inspectValue(array)
  t.ok(performance.now() - began < 100, `${performance.now() - began} ms`)
})

t.test('freezing reaches all parts', async (t) => {
  const value = deepFreeze({ a: [{ b: {} }] })
  t.ok([value, value.a, value.a[0], value.a[0]!.b].every((part) => Object.isFrozen(part)))
  t.equal(deepFreeze(null), null)
  t.equal(deepFreeze('x'), 'x')
})
