import t from 'tap'
import { SingleFlight } from '../../plugins/cache/single-flight.js'
import { gate } from '../helpers/gate.js'

t.test('who asks while a flight is under way gets that flight, and nobody after it has landed', async (t) => {
  const flights = new SingleFlight<number>()
  const held = gate<number>()
  t.equal(flights.get('a'), undefined)
  const flight = flights.start('a', () => held.pass())
  t.equal(flights.get('a'), flight)
  t.equal(flights.get('b'), undefined)
  held.open(1)
  t.equal(await flight, 1)
  t.equal(flights.get('a'), undefined)
})

t.test('a failed flight is gone too, and is no unhandled rejection', async (t) => {
  const flights = new SingleFlight<number>()
  await t.rejects(flights.start('a', () => Promise.reject(new Error('no'))), { message: 'no' })
  t.equal(flights.get('a'), undefined)
})

t.test('a forgotten flight, when it lands, leaves the younger one under its key alone', async (t) => {
  const flights = new SingleFlight<string>()
  const [old, young] = [gate<string>(), gate<string>()]
  const first = flights.start('a', () => old.pass())
  flights.forget('a')
  const second = flights.start('a', () => young.pass())
  old.open('old')
  await first
  t.equal(flights.get('a'), second)
  young.open('young')
  await second
  t.equal(flights.get('a'), undefined)
})

t.test('all flights can be forgotten at once', async (t) => {
  const flights = new SingleFlight<number>()
  const held = gate<number>()
  const both = [flights.start('a', () => held.pass()), flights.start('b', () => held.pass())]
  flights.forgetAll()
  t.equal(flights.get('a'), undefined)
  t.equal(flights.get('b'), undefined)
  held.open(1)
  await Promise.all(both)
})
