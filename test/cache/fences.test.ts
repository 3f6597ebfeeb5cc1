import t from 'tap'
import { Fences, type Fence } from '../../plugins/cache/fences.js'
import { gate } from './gate.js'

type Holder = Parameters<Fences['hold']>[1]

function held (fences: Fences, key: string, holder: Holder = 'read') {
  const { passed, open } = gate<undefined>()
  let fence!: Fence
  const done = fences.hold(key, holder, (given) => { fence = given; return passed })
  return { fence, async release () { open(undefined); await done } }
}

t.test('a fence is intact until its key is invalidated', async (t) => {
  const fences = new Fences()
  const [a, b] = [held(fences, 'a'), held(fences, 'b')]
  t.ok(a.fence.intact)
  fences.break('a')
  t.notOk(a.fence.intact)
  t.ok(b.fence.intact, 'another key is not concerned')
  await Promise.all([a.release(), b.release()])
})

t.test('an invalidation breaks every fence of its key, and none that is taken afterwards', async (t) => {
  const fences = new Fences()
  const before = [held(fences, 'a'), held(fences, 'a', 'write')]
  fences.break('a')
  const after = held(fences, 'a')
  t.notOk(before.some(({ fence }) => fence.intact))
  t.ok(after.fence.intact)
  for (const { release } of before) await release()
  t.ok(after.fence.intact)
  fences.break('a')
  t.notOk(after.fence.intact, 'the end of older work does not let a younger fence escape')
  await after.release()
})

t.test('what ends a write voids the reads beside it, and no other write', async (t) => {
  const fences = new Fences()
  const [read, write] = [held(fences, 'a', 'read'), held(fences, 'a', 'write')]
  fences.breakReads('a')
  fences.breakReads('unknown')
  t.notOk(read.fence.intact)
  t.ok(write.fence.intact)
  await Promise.all([read.release(), write.release()])
})

t.test('breaking all breaks all', async (t) => {
  const fences = new Fences()
  const all = [held(fences, 'a'), held(fences, 'a', 'write'), held(fences, 'b')]
  fences.breakAll()
  t.notOk(all.some(({ fence }) => fence.intact))
  for (const { release } of all) await release()
})

t.test('work gives what it gives, and its error is passed on', async (t) => {
  const fences = new Fences()
  t.equal(await fences.hold('a', 'read', async () => 1), 1)
  await t.rejects(fences.hold('a', 'write', async () => { throw new Error('no') }), { message: 'no' })
  fences.break('never held')
})
