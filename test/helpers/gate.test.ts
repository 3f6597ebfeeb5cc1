import t from 'tap'
import { gate } from './gate.js'

t.test('nobody passes a gate until it opens, and then everyone, now and later', async (t) => {
  const { pass, open } = gate<string>()
  const passed: string[] = []
  const both = [pass(), pass()].map(async (go) => { passed.push(await go) })
  await new Promise(setImmediate)
  t.strictSame(passed, [])
  open('go')
  await Promise.all(both)
  t.strictSame(passed, ['go', 'go'])
  t.equal(await pass(), 'go')
})

t.test('a test can wait until code stands at the gate', async (t) => {
  const held = gate()
  let stands = false
  const first = held.arrived().then(() => { stands = true })
  const second = held.arrived(2)
  await new Promise(setImmediate)
  t.notOk(stands)

  void held.pass()
  await first
  t.equal(held.arrivals, 1)
  void held.pass()
  await second
  t.equal(held.arrivals, 2)
  await held.arrived()
})

t.test('one after the other is let through, in the order in which they came', async (t) => {
  const held = gate<number>()
  const order: string[] = []
  const a = held.pass().then((value) => { order.push(`a got ${value}`) })
  const b = held.pass().then((value) => { order.push(`b got ${value}`) })
  held.letOne(1)
  await a
  t.strictSame(order, ['a got 1'])
  held.letOne(2)
  await b
  t.strictSame(order, ['a got 1', 'b got 2'])
})

t.test('one may be let through before it has come', async (t) => {
  const held = gate<number>()
  held.letOne(1)
  held.letOne(2)
  t.strictSame([await held.pass(), await held.pass()], [1, 2])
  void held.pass().then(() => t.fail('the third waits'))
  await new Promise(setImmediate)
})

t.test('a gate that fails fails those who wait and those who come', async (t) => {
  const held = gate<number>()
  const waits = held.pass()
  const error = new Error('down')
  held.fail(error)
  await t.rejects(waits, error)
  await t.rejects(held.pass(), error)
})

t.test('a gate can be shut again', async (t) => {
  const held = gate<number>()
  held.open(1)
  held.shut()
  const waits = held.pass()
  held.open(2)
  t.equal(await waits, 2)
})
