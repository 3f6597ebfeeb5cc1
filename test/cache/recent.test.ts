import t from 'tap'
import { Recent } from '../../plugins/cache/recent.js'

function build (most = 3): { recent: Recent, at: (now: number) => void } {
  let now = 0
  return { recent: new Recent(100, most, () => now), at: (moment) => { now = moment } }
}

t.test('what came is remembered, each name once, until all was well so much later', async (t) => {
  const { recent, at } = build()
  recent.add(['a', 'b'])
  at(60)
  recent.add(['a'])
  at(10_000)
  t.strictSame(recent.names(), ['b', 'a'], 'however long nobody says that all is well')
  recent.confirm(100)
  t.strictSame(recent.names(), ['b', 'a'])
  recent.confirm(101)
  t.strictSame(recent.names(), ['a'])
  recent.confirm(50)
  t.strictSame(recent.names(), ['a'], 'what is said late changes nothing')
  recent.confirm(161)
  t.strictSame(recent.names(), [])
})

t.test('of more than can be remembered it is known that they were too many, for as long as they would matter', async (t) => {
  const { recent, at } = build()
  recent.add(['a', 'b', 'c'])
  at(10)
  recent.add(['d'])
  t.equal(recent.names(), undefined)
  recent.confirm(100)
  t.equal(recent.names(), undefined)
  recent.confirm(101)
  t.strictSame(recent.names(), ['d'])
})

t.test('what does not matter any more makes room', async (t) => {
  const { recent, at } = build()
  recent.add(['a', 'b', 'c'])
  recent.confirm(101)
  at(101)
  recent.add(['d', 'e'])
  t.strictSame(recent.names(), ['d', 'e'])
})

t.test('of what came, it is known when that was', async (t) => {
  const { recent, at } = build()
  t.ok(recent.isEmpty)
  recent.add(['a'])
  at(50)
  recent.add(['b'], 40)
  t.strictSame(['a', 'b', 'c'].map((name) => recent.cameAt(name)), [0, 40, Infinity])
  t.notOk(recent.isEmpty)
  recent.add(['c', 'd'])
  t.equal(recent.cameAt('a'), -Infinity, 'one that is not remembered any more may have come at any time')
  recent.confirm(151)
  t.ok(recent.isEmpty)
  t.equal(recent.cameAt('a'), Infinity, 'and that matters no more')
})
