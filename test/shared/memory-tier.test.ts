import t from 'tap'
import { MemoryTier } from '../../plugins/shared/memory-tier.js'

function tier ({ maxBytes = 10_000 } = {}) {
  const clock = { milliseconds: 1_000 }
  return { clock, memory: new MemoryTier<unknown>({ maxBytes, now: () => clock.milliseconds }) }
}

t.test('a value is given out until its expiry, and then its room is free', async (t) => {
  const { memory, clock } = tier()
  memory.set('a', 1, 10, 1_500)
  clock.milliseconds = 1_499
  t.equal(memory.get('a'), 1)
  clock.milliseconds = 1_500
  t.equal(memory.get('a'), undefined)
  t.equal(memory.size, 0)
  t.equal(memory.bytes, 0)
})

t.test('a clock that is set back gives nothing out that was already dropped', async (t) => {
  const { memory, clock } = tier()
  memory.set('a', 1, 10, 1_500)
  clock.milliseconds = 2_000
  t.equal(memory.get('a'), undefined)
  clock.milliseconds = 1_000
  t.equal(memory.get('a'), undefined)
})

t.test('what was least recently used makes room', async (t) => {
  const { memory } = tier({ maxBytes: 3_000 })
  for (const key of ['a', 'b', 'c']) memory.set(key, key, 700, 9_999)
  memory.get('a')
  memory.set('d', 'd', 700, 9_999)
  t.equal(memory.get('b'), undefined)
  for (const key of ['a', 'c', 'd']) t.equal(memory.get(key), key)
})

t.test('many empty values are bounded too', async (t) => {
  const { memory } = tier({ maxBytes: 10_000 })
  for (let index = 0; index < 10_000; index++) memory.set(String(index), undefined, 0, 9_999)
  t.ok(memory.size <= 50)
  t.ok(memory.bytes <= 10_000)
})

t.test('a value larger than the tier is not kept, drives nothing out, and its older version is gone', async (t) => {
  const { memory } = tier({ maxBytes: 1_000 })
  memory.set('small', 1, 10, 9_999)
  memory.set('a', 'old', 10, 9_999)
  memory.set('a', 'huge', 5_000, 9_999)
  t.equal(memory.get('a'), undefined)
  t.equal(memory.get('small'), 1)
})

t.test('delete and clear give the room back', async (t) => {
  const { memory } = tier()
  memory.set('a', 1, 10, 9_999)
  memory.set('b', 2, 10, 9_999)
  memory.delete('a')
  memory.delete('never there')
  t.equal(memory.get('a'), undefined)
  t.equal(memory.size, 1)
  memory.clear()
  t.equal(memory.size, 0)
  t.equal(memory.bytes, 0)
})
