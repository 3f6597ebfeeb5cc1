import t from 'tap'
import { heapSize } from '../../plugins/cache/heap-size.js'

t.test('many small objects weigh what they take on the heap, not what they take serialised', async (t) => {
  t.ok(heapSize(Array.from({ length: 1_000 }, () => ({}))) >= 60_000)
  t.ok(heapSize(Array.from({ length: 1_000 }, () => [])) >= 35_000)
})

t.test('what is reached twice, or round a circle, weighs once', async (t) => {
  const part = { text: 'x'.repeat(1_000) }
  t.ok(heapSize([part, part, part]) < 3_000)
  const circle: { self?: unknown } = {}
  circle.self = circle
  t.ok(heapSize(circle) < 200)
})

t.test('every kind of value has a size', async (t) => {
  for (const value of ['', 0, 1n, true, null, undefined]) t.ok(heapSize(value) >= 0)
  t.equal(heapSize('abcd') - heapSize(''), 8)
})
