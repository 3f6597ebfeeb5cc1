import t, { type Test } from 'tap'
import { UntoldKeys } from '../../plugins/cache/untold.js'
import { eventually } from '../helpers/eventually.js'

function untoldKeys (t: Test, tellAgain: (key: string) => Promise<boolean> = async () => false): UntoldKeys {
  const untold = new UntoldKeys(tellAgain)
  t.teardown(() => untold.close())
  return untold
}

t.test('a key is struck off when Redis was told', async (t) => {
  const untold = untoldKeys(t)
  untold.add('a')
  t.equal(await untold.track('a', async () => false), false)
  t.equal(untold.has('a'), true)
  t.equal(await untold.track('a', async () => true), true)
  t.equal(untold.has('a'), false)
})

t.test('a key that is added again while Redis is told stays', async (t) => {
  const untold = untoldKeys(t)
  untold.add('a')
  await untold.track('a', async () => {
    untold.add('a')
    return true
  })
  t.equal(untold.has('a'), true)
})

t.test('at most 100,000 keys are remembered, the newest', async (t) => {
  const untold = untoldKeys(t)
  for (let index = 0; index <= 100_000; index++) untold.add(String(index))
  t.equal(untold.size, 100_000)
  t.strictSame([untold.has('0'), untold.has('1'), untold.has('100000')], [false, true, true])
})

t.test('all are told in the end: one alone until that succeeds, the rest at once', async (t) => {
  const asked: string[][] = []
  let back = false
  let turn: string[] = []
  const untold: UntoldKeys = untoldKeys(t, (key) => untold.track(key, async () => {
    if (turn.length === 0) setImmediate(() => { turn = [] })
    if (turn.push(key) === 1) asked.push(turn)
    return back
  }))
  for (const key of 'abc') untold.add(key)
  await eventually(() => asked.length === 2)
  t.strictSame(asked.map((keys) => keys.length), [1, 1], 'nothing more while Redis is away')
  back = true
  await eventually(() => untold.size === 0)
  t.strictSame(asked.slice(2).flat().sort(), ['a', 'b', 'c'])
})

t.test('closed, it tells no more', async (t) => {
  let told = 0
  const untold = untoldKeys(t, async () => { told++; return true })
  untold.add('a')
  untold.close()
  untold.add('b')
  await new Promise((resolve) => { setTimeout(resolve, 700) })
  t.equal(told, 0)
})
