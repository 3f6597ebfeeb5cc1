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

for (const names of [['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd', 'e']]) {
  t.test(`each of ${names.length} variants comes first as often as the others, and right after each of them as often`, (t) => {
    const orders = Array.from({ length: 2 * names.length }, (_, round) => orderOf(names, round))
    for (const order of orders) t.strictSame(order.toSorted(), names)
    for (const name of names) {
      t.equal(orders.filter(([first]) => first === name).length, 2, `${name} first`)
      for (const before of names) {
        const follows = orders.filter((order) => order.indexOf(name) - order.indexOf(before) === 1).length
        t.equal(follows, name === before ? 0 : 2, `${name} after ${before}`)
      }
    }
    t.end()
  })
}
