import t from 'tap'
import { Slots } from '../../plugins/compression/slots.js'
import { gate } from '../helpers/gate.js'

t.test('no more than there are are taken, and each is given back', async (t) => {
  const slots = new Slots(2)
  t.ok(slots.take() && slots.take())
  t.notOk(slots.take())
  slots.give()
  t.ok(slots.take())
  t.equal(slots.taken, 2)
  slots.give()
  slots.give()
  t.equal(slots.taken, 0)
})

t.test('who waits for one gets it in the order of the calls, also from one that failed', async (t) => {
  const slots = new Slots(1)
  const working = gate()
  const order: number[] = []
  const failing = slots.run(async () => { await working.pass(); throw new Error('no') })
  const others = [1, 2, 3].map((number) => slots.run(async () => { order.push(number) }))
  await working.arrived()
  t.notOk(slots.take())
  t.strictSame(order, [])
  working.open()
  await t.rejects(failing, { message: 'no' })
  await Promise.all(others)
  t.strictSame(order, [1, 2, 3])
  t.equal(slots.taken, 0)
})
