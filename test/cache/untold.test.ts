import t from 'tap'
import { UntoldKeys } from '../../plugins/cache/untold.js'

t.test('a key is struck off when Redis was told', async (t) => {
  const untold = new UntoldKeys()
  untold.add('a')
  t.equal(await untold.tell('a', async () => false), false)
  t.equal(untold.has('a'), true)
  t.equal(await untold.tell('a', async () => true), true)
  t.equal(untold.has('a'), false)
})

t.test('a key that is added again while Redis is told stays', async (t) => {
  const untold = new UntoldKeys()
  untold.add('a')
  await untold.tell('a', async () => {
    untold.add('a')
    return true
  })
  t.strictSame(untold.keys(), ['a'])
})

t.test('at most 100,000 keys are remembered, the newest', async (t) => {
  const untold = new UntoldKeys()
  for (let index = 0; index <= 100_000; index++) untold.add(String(index))
  t.equal(untold.keys().length, 100_000)
  t.strictSame([untold.has('0'), untold.has('1'), untold.has('100000')], [false, true, true])
})
