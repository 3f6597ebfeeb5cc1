import t from 'tap'
import { SingleFlight } from '../../plugins/cache/single-flight.js'

function flight (key: string, tags: string[] = []) {
  return { key, tags }
}

t.test('who asks while a flight is under way gets that flight, and nobody after it has landed', async (t) => {
  const flights = new SingleFlight()
  t.equal(flights.get('a'), undefined)
  const first = flights.depart(flight('a'))
  t.equal(flights.get('a'), first)
  t.equal(flights.get('b'), undefined)
  flights.land(first)
  t.equal(flights.get('a'), undefined)
})

t.test('a forgotten flight, when it lands, leaves the younger one under its key alone', async (t) => {
  const flights = new SingleFlight()
  const old = flights.depart(flight('a'))
  flights.forget('a')
  const young = flights.depart(flight('a'))
  flights.land(old)
  t.equal(flights.get('a'), young)
  flights.land(young)
  t.equal(flights.get('a'), undefined)
})

t.test('some can be forgotten, or all', async (t) => {
  const flights = new SingleFlight<ReturnType<typeof flight>>()
  for (const [key, ...tags] of [['a', 'x'], ['b', 'x', 'y'], ['c']]) flights.depart(flight(key!, tags))
  flights.forgetWhere(({ tags }) => tags.includes('x'))
  t.equal(flights.get('a'), undefined)
  t.equal(flights.get('b'), undefined)
  t.not(flights.get('c'), undefined)
  flights.forgetAll()
  t.equal(flights.get('c'), undefined)
})
