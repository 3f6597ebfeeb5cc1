import t from 'tap'
import { LoadRun } from '../../plugins/cache/load-run.js'
import { gate } from '../helpers/gate.js'

t.test('a run knows the loader that is calling, through its awaits, and nothing outside of it', async (t) => {
  const [outer, inner] = [new LoadRun(['outer']), new LoadRun(['inner'])]
  t.equal(LoadRun.current, undefined)
  await outer.run(async () => {
    t.equal(LoadRun.current, outer)
    await inner.run(async () => {
      await Promise.resolve()
      t.equal(LoadRun.current, inner)
    })
    t.equal(LoadRun.current, outer)
  })
  t.equal(LoadRun.current, undefined)
})

t.test('runs side by side each know their own', async (t) => {
  const held = gate()
  const runs = ['a', 'b', 'c'].map((key) => new LoadRun([key]))
  const seen = runs.map((run) => run.run(async () => {
    await held.pass()
    return LoadRun.current
  }))
  t.equal(LoadRun.current, undefined)
  held.open()
  t.strictSame((await Promise.all(seen)).map((run, index) => run === runs[index]), [true, true, true])
})

t.test('what a loader throws, at once or later, passes through, and no run is left behind', async (t) => {
  const error = new Error('away')
  const run = new LoadRun(['a'])
  await t.rejects(run.run(() => { throw error }), error)
  await t.rejects(run.run(() => Promise.reject(error)), error)
  t.equal(LoadRun.current, undefined)
  await run.run(async () => { t.equal(LoadRun.current, run) })
})

t.test('a run is aborted when the last of those who want it gives up, with the reason of that one', async (t) => {
  const run = new LoadRun(['a'])
  run.want()
  run.want()
  run.wantNoMore('one')
  t.equal(run.aborted, false)
  t.equal(run.signal.aborted, false)
  run.wantNoMore('two')
  t.equal(run.aborted, true)
  t.equal(run.signal.reason, 'two')
})

t.test('a run that somebody wants anyhow is never aborted by the others', async (t) => {
  const run = new LoadRun(['a'])
  run.want()
  run.wantAnyhow()
  run.wantNoMore('left')
  t.equal(run.aborted, false)
  t.equal(run.signal.aborted, false)
})

t.test('a signal that is asked for only after the abort has aborted, and the first reason stays', async (t) => {
  const run = new LoadRun(['a'])
  run.abort(undefined)
  t.equal(run.aborted, true)
  t.equal(run.signal.aborted, true)
  const other = new LoadRun(['b'])
  other.abort('first')
  other.abort('second')
  t.equal(other.signal.reason, 'first')
  t.equal(other.signal, other.signal)
})

t.test('no run waits for itself, through however many others, and the error names the way', async (t) => {
  const runs = ['a', 'b', 'c', 'd'].map((key) => new LoadRun([key, 'others of its batch']))
  const [a, b, c, d] = runs as [LoadRun, LoadRun, LoadRun, LoadRun]
  const reentry = (way: string) => ({ code: 'FST_HEADROOM_CACHE_REENTRY', message: `cache: a load waits for itself: ${way}` })
  t.throws(() => a.awaitedBy(a), reentry('a → a'))
  b.awaitedBy(a)
  t.throws(() => a.awaitedBy(b), reentry('b → a → b'))
  d.awaitedBy(b)
  c.awaitedBy(b)
  t.throws(() => a.awaitedBy(c), reentry('c → a → b → c'))
  t.doesNotThrow(() => c.awaitedBy(a), 'a diamond is no circle')
  t.doesNotThrow(() => d.awaitedBy(c))
  t.doesNotThrow(() => d.awaitedBy(undefined))
})

t.test('who no longer waits is in no circle, and waiting twice has to end twice', async (t) => {
  const [a, b] = [new LoadRun(['a']), new LoadRun(['b'])]
  const [first, second] = [b.awaitedBy(a), b.awaitedBy(a)]
  first()
  t.throws(() => a.awaitedBy(b), { code: 'FST_HEADROOM_CACHE_REENTRY' })
  second()
  t.doesNotThrow(() => a.awaitedBy(b))
})

t.test('a run that is waited for along very many ways, or a very long one, is seen through', async (t) => {
  const layers = Array.from({ length: 30 }, (_, layer) => [new LoadRun([`${layer}a`]), new LoadRun([`${layer}b`])])
  for (const [index, layer] of layers.slice(1).entries()) {
    for (const from of layers[index]!) for (const to of layer) to.awaitedBy(from)
  }
  t.throws(() => layers[0]![0]!.awaitedBy(layers.at(-1)![0]), { code: 'FST_HEADROOM_CACHE_REENTRY' }, 'a billion ways')
  const chain = Array.from({ length: 20_000 }, (_, index) => new LoadRun([`${index}`]))
  for (const [index, run] of chain.slice(1).entries()) run.awaitedBy(chain[index])
  t.throws(() => chain[0]!.awaitedBy(chain.at(-1)), { code: 'FST_HEADROOM_CACHE_REENTRY' }, 'twenty thousand loads deep')
})
