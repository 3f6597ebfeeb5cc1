import t from 'tap'
import { Fences, type Fence } from '../../plugins/cache/fences.js'
import { gate } from '../helpers/gate.js'

type Holder = Parameters<Fences['hold']>[1]

function held (fences: Fences, key: string, holder: Holder = 'read') {
  const { pass, open } = gate()
  let fence!: Fence
  const done = fences.hold(key, holder, (given) => { fence = given; return pass() })
  return { fence, async release () { open(); await done } }
}

t.test('a fence is intact until its key is invalidated', async (t) => {
  const fences = new Fences()
  const [a, b] = [held(fences, 'a'), held(fences, 'b')]
  t.equal(a.fence.state, 'intact')
  fences.break('a')
  t.equal(a.fence.state, 'broken')
  t.equal(b.fence.state, 'intact', 'another key is not concerned')
  await Promise.all([a.release(), b.release()])
})

t.test('an invalidation breaks every fence of its key, and none that is taken afterwards', async (t) => {
  const fences = new Fences()
  const before = [held(fences, 'a'), held(fences, 'a', 'write')]
  fences.break('a')
  const after = held(fences, 'a')
  t.ok(before.every(({ fence }) => fence.state === 'broken'))
  t.equal(after.fence.state, 'intact')
  for (const { release } of before) await release()
  t.equal(after.fence.state, 'intact')
  fences.break('a')
  t.equal(after.fence.state, 'broken', 'the end of older work does not let a younger fence escape')
  await after.release()
})

t.test('what ends a write voids the reads beside it, and no other write', async (t) => {
  const fences = new Fences()
  const [read, write] = [held(fences, 'a', 'read'), held(fences, 'a', 'write')]
  fences.breakReads('a')
  fences.breakReads('unknown')
  t.equal(read.fence.state, 'broken')
  t.equal(write.fence.state, 'intact')
  await Promise.all([read.release(), write.release()])
})

t.test('after a gap every fence that was intact says so, and one that is broken stays broken', async (t) => {
  const fences = new Fences()
  const [broken, ...open] = [held(fences, 'c'), held(fences, 'a'), held(fences, 'a', 'write'), held(fences, 'b')]
  fences.break('c')
  fences.gap()
  t.ok(open.every(({ fence }) => fence.state === 'gap'))
  t.equal(broken.fence.state, 'broken')
  fences.break('a')
  t.equal(open[0].fence.state, 'broken')
  for (const { release } of [broken, ...open]) await release()
})

t.test('work gives what it gives, and its error is passed on', async (t) => {
  const fences = new Fences()
  t.equal(await fences.hold('a', 'read', async () => 1), 1)
  await t.rejects(fences.hold('a', 'write', async () => { throw new Error('no') }), { message: 'no' })
  fences.break('never held')
})

t.test('what has taken too long or was overtaken stays so, whatever else is missed; broken is worse still', async (t) => {
  const fences = new Fences()
  const [slow, overtaken, write] = [held(fences, 'a'), held(fences, 'b'), held(fences, 'b', 'write')]
  fences.late(slow.fence)
  fences.overtake('b')
  fences.overtake('unknown')
  fences.gap()
  t.strictSame([slow, overtaken, write].map(({ fence }) => fence.state), ['late', 'overtaken', 'gap'])
  fences.late(overtaken.fence)
  t.equal(overtaken.fence.state, 'overtaken')
  const broken = held(fences, 'c')
  fences.break('c')
  fences.late(broken.fence)
  fences.overtake('c')
  t.equal(broken.fence.state, 'broken')
  for (const { release } of [slow, overtaken, write, broken]) await release()
})
