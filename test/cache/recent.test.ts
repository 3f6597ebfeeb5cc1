import t from 'tap'
import { Recent } from '../../plugins/cache/recent.js'

function build (most = 3): { recent: Recent, at: (now: number) => void } {
  let now = 0
  return { recent: new Recent(100, most, () => now), at: (moment) => { now = moment } }
}

t.test('what came within the time is remembered, each name once, from when it came last', async (t) => {
  const { recent, at } = build()
  recent.add(['a', 'b'])
  at(60)
  recent.add(['a'])
  at(100)
  t.strictSame(recent.names(), ['b', 'a'])
  at(101)
  t.strictSame(recent.names(), ['a'])
  at(161)
  t.strictSame(recent.names(), [])
})

t.test('of more than can be remembered it is known for the time that they were too many', async (t) => {
  const { recent, at } = build()
  recent.add(['a', 'b', 'c'])
  at(10)
  recent.add(['d'])
  t.equal(recent.names(), undefined)
  at(100)
  t.equal(recent.names(), undefined)
  at(101)
  t.strictSame(recent.names(), ['d'])
})

t.test('what is over makes room', async (t) => {
  const { recent, at } = build()
  recent.add(['a', 'b', 'c'])
  at(101)
  recent.add(['d', 'e'])
  t.strictSame(recent.names(), ['d', 'e'])
})
