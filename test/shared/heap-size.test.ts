import t from 'tap'
import { charactersSize, freezeGraph, freezeTree } from '../../plugins/shared/heap-size.js'

for (const [title, freeze] of [['a tree', freezeTree], ['a graph', freezeGraph]] as const) {
  t.test(`${title} of many small parts weighs what it takes on the heap, not what it takes serialised`, async (t) => {
    t.ok(freeze(Array.from({ length: 1_000 }, () => ({}))) >= 60_000)
    t.ok(freeze(Array.from({ length: 1_000 }, () => [])) >= 35_000)
    t.ok(freeze(Array.from({ length: 1_000 }, (_, n) => n / 3)) >= 24_000)
  })

  t.test(`${title} is frozen in all its parts`, async (t) => {
    const value = { a: [{ b: {} }], c: null }
    freeze(value)
    t.ok([value, value.a, value.a[0], value.a[0]!.b].every((part) => Object.isFrozen(part)))
  })

  t.test(`${title} leaves alone what somebody put on Object.prototype`, async (t) => {
    const foreign = {}
    Object.assign(Object.prototype, { foreign })
    t.teardown(() => { Reflect.deleteProperty(Object.prototype, 'foreign') })
    freeze({ a: {} })
    t.notOk(Object.isFrozen(foreign))
  })

  t.test(`${title} can be a primitive`, async (t) => {
    for (const value of ['', 0, 1n, true, null, undefined]) t.equal(freeze(value), 0)
  })
}

t.test('what is reached twice, or round a circle, weighs once', async (t) => {
  const part = Array.from({ length: 100 }, () => ({}))
  t.ok(freezeGraph([part, part, part]) < 2 * freezeGraph([Array.from({ length: 100 }, () => ({}))]))
  const circle: { self?: unknown } = {}
  circle.self = circle
  t.ok(freezeGraph(circle) < 200)
})

t.test('a part in many places is looked at once, however often it is named', async (t) => {
  let visits = 0
  let value: unknown = { get leaf () { visits++; return 1 } }
  for (let level = 0; level < 16; level++) value = [value, value]
  freezeGraph(value)
  t.equal(visits, 1)
})

t.test('a nearly empty array of great length takes no time', async (t) => {
  const array: number[] = []
  array.length = 50_000_000
  const began = performance.now()
  freezeGraph(array)
  t.ok(performance.now() - began < 100, `${performance.now() - began} ms`)
})

t.test('a tree too deep for the stack is refused', async (t) => {
  t.throws(() => freezeTree(JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))), RangeError)
})

t.test('characters weigh one byte each in a text of ASCII, else two', async (t) => {
  for (const [text, size] of [['', 0], ['abc', 3], ['é', 2], ['a👋', 6]] as const) t.equal(charactersSize(text, Buffer.byteLength(text)), size)
})
