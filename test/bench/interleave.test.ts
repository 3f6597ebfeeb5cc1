import t from 'tap'
import { interleave, orderOf } from '../../bench/interleave.js'

t.test('each variant runs once a round, and the samples come back in the order of the rounds', async (t) => {
  const ran: string[] = []
  const samples = await interleave(['a', 'b', 'c'], 4, async (variant, round) => {
    ran.push(variant)
    return `${variant}${round}`
  })
  t.strictSame([...samples], [
    ['a', ['a0', 'a1', 'a2', 'a3']], ['b', ['b0', 'b1', 'b2', 'b3']], ['c', ['c0', 'c1', 'c2', 'c3']]
  ])
  t.equal(ran.length, 12)
  t.strictSame(ran.slice(0, 6), ['a', 'b', 'c', 'c', 'b', 'a'])
})

t.test('no variant always comes first, or always after the same one', (t) => {
  const names = ['a', 'b', 'c', 'd']
  const orders = Array.from({ length: 8 }, (_, round) => orderOf(names, round))
  for (const name of names) {
    t.equal(orders.filter(([first]) => first === name).length, 2, `${name} comes first as often as the others`)
    const before = new Set(orders.flatMap((order) => order[order.indexOf(name) - 1] ?? []))
    t.ok(before.size > 1, `${name} comes after ${[...before].join(' and ')}`)
  }
  t.end()
})
