import t from 'tap'
import { MemoryTier } from '../../plugins/shared/memory-tier.js'
import type { Held } from '../../plugins/shared/tier.js'
import { manualClock } from '../helpers/clock.js'

interface Sized {
  bytes: number
}

function tier ({ maxBytes = 10_000 } = {}) {
  const clock = manualClock(1_000)
  return { clock, memory: new MemoryTier<Sized>({ maxBytes, sizeOf: ({ bytes }) => bytes, now: clock.now }) }
}

function held (bytes: number, keptUntil = 9_999): Held<Sized> {
  return { value: { bytes }, freshUntil: keptUntil, keptUntil, loadTime: 0, tags: [] }
}

t.test('what is over makes room as soon as it is asked for', async (t) => {
  const { memory, clock } = tier()
  memory.set('a', held(10, 1_500))
  clock.advance(500)
  t.equal(memory.get('a'), undefined)
  t.equal(memory.size, 0)
  t.equal(memory.bytes, 0)
})

t.test('a clock that is set back gives nothing out that was already dropped', async (t) => {
  let now = 1_000
  const memory = new MemoryTier<Sized>({ maxBytes: 10_000, sizeOf: ({ bytes }) => bytes, now: () => now })
  memory.set('a', held(10, 1_500))
  now = 2_000
  t.equal(memory.get('a'), undefined)
  now = 1_000
  t.equal(memory.get('a'), undefined)
})

t.test('what was least recently used makes room', async (t) => {
  const { memory } = tier({ maxBytes: 3_000 })
  for (const key of ['a', 'b', 'c']) memory.set(key, held(700))
  memory.get('a')
  memory.set('d', held(700))
  t.equal(memory.get('b'), undefined)
  for (const key of ['a', 'c', 'd']) t.equal(memory.get(key)?.value.bytes, 700)
})

t.test('many empty values are bounded too, and so are their tags', async (t) => {
  const { memory } = tier({ maxBytes: 10_000 })
  for (let index = 0; index < 10_000; index++) memory.set(String(index), held(0))
  t.ok(memory.size <= 50)
  t.ok(memory.bytes <= 10_000)
  const tags = Array.from({ length: 20 }, (_, index) => ({ tag: `tag ${index}`, generation: 'AAAAAAAAAAA' }))
  for (let index = 0; index < 10_000; index++) memory.set(String(index), { ...held(0), tags })
  t.ok(memory.size <= 5)
})

t.test('a value larger than the tier is not kept, drives nothing out, and its older version is gone', async (t) => {
  const { memory } = tier({ maxBytes: 1_000 })
  memory.set('small', held(10))
  memory.set('a', held(10))
  memory.set('a', held(5_000))
  t.equal(memory.get('a'), undefined)
  t.equal(memory.get('small')?.value.bytes, 10)
})

t.test('delete and clear give the room back', async (t) => {
  const { memory } = tier()
  memory.set('a', held(1))
  memory.set('b', held(2))
  memory.delete('a')
  memory.delete('never there')
  t.equal(memory.size, 1)
  memory.clear()
  t.equal(memory.size, 0)
  t.equal(memory.bytes, 0)
})
