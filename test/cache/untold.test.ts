import t, { type Test } from 'tap'
import { Untold } from '../../plugins/cache/untold.js'
import { eventually } from '../helpers/eventually.js'

function untoldNames (t: Test, tellAgain: (name: string) => Promise<boolean> = async () => false, onFull = () => {}): Untold {
  const untold = new Untold({ tellAgain, onFull, groupsOf: (names) => [names.filter((name) => !name.startsWith('other')), names.filter((name) => name.startsWith('other'))] })
  t.teardown(() => untold.close())
  return untold
}

t.test('a key is struck off when Redis was told', async (t) => {
  const untold = untoldNames(t)
  untold.add(['a'])
  t.equal(await untold.track(['a'], async () => false), false)
  t.equal(untold.has('a'), true)
  t.equal(await untold.track(['a'], async () => true), true)
  t.equal(untold.has('a'), false)
})

t.test('a key that is added again while Redis is told stays', async (t) => {
  const untold = untoldNames(t)
  untold.add(['a'])
  await untold.track(['a'], async () => {
    untold.add(['a'])
    return true
  })
  t.equal(untold.has('a'), true)
})

t.test('of more than 100,000 none is remembered, but that all is void', async (t) => {
  let full = 0
  const untold = untoldNames(t, undefined, () => { full++ })
  for (let index = 0; index < 100_000; index++) untold.add([String(index)])
  t.equal(untold.size, 100_000)
  t.equal(full, 0)
  untold.add(['one more'])
  t.equal(full, 1)
  t.equal(untold.size, 0)
})

t.test('all are told in the end, and some that cannot be told hold up no others', async (t) => {
  let away = (_key: string): boolean => true
  let asked = 0
  const untold: Untold = untoldNames(t, (key) => untold.track([key], async () => {
    asked++
    return !away(key)
  }))
  const names = Array.from({ length: 1_000 }, (_, n) => String(n))
  untold.add(names)
  await eventually(() => asked === 100)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(asked, 100, 'no more while nobody answers')
  away = (key) => Number(key) % 3 === 0
  await eventually(() => untold.size === 334)
  away = () => false
  untold.recovered()
  await eventually(() => untold.size === 0, 400)
})

t.test('closed, it tells no more', async (t) => {
  let told = 0
  const untold = untoldNames(t, async () => { told++; return true })
  untold.add(['a'])
  untold.close()
  untold.add(['b'])
  await new Promise((resolve) => { setTimeout(resolve, 700) })
  t.equal(told, 0)
})

t.test('a server that cannot be told, of however many, holds up none that can', async (t) => {
  const told: string[] = []
  const untold: Untold = untoldNames(t, (key) => untold.track([key], async () => {
    if (!key.startsWith('other')) return false
    told.push(key)
    return true
  }))
  untold.add(Array.from({ length: 3_000 }, (_, index) => `key ${index}`))
  untold.add(['other'])
  untold.recovered()
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(told, ['other'])
  t.equal(untold.size, 3_000)
})
