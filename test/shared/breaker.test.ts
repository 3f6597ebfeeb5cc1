import t from 'tap'
import { Breaker } from '../../plugins/shared/breaker.js'
import { manualClock, type Clock } from '../helpers/clock.js'
import { gate, type Gate } from '../helpers/gate.js'

function breaker (): { breaker: Breaker, clock: Clock, probes: Gate<void>, closed: () => number } {
  const clock = manualClock()
  const probes = gate()
  let closed = 0
  return {
    clock,
    probes,
    closed: () => closed,
    breaker: new Breaker({ failures: 3, probeInterval: 500, probe: probes.pass, onClose: () => { closed++ }, setTimeout: clock.setTimeout })
  }
}

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

t.test('failures that are not in a row do not open it', async (t) => {
  const { breaker: it, clock, closed } = breaker()
  for (let round = 0; round < 5; round++) {
    it.failed()
    it.failed()
    it.succeeded()
  }
  clock.advance(10_000)
  t.strictSame([it.open, closed()], [false, 0])
})

t.test('open, it probes once an interval, one at a time, until one succeeds', async (t) => {
  const { breaker: it, clock, probes, closed } = breaker()
  for (let failure = 0; failure < 5; failure++) it.failed()
  t.equal(it.open, true)
  clock.advance(499)
  t.equal(probes.arrivals, 0)
  clock.advance(1)
  t.equal(probes.arrivals, 1)
  clock.advance(2_000)
  t.equal(probes.arrivals, 1, 'one that has no end is not joined by others')
  probes.fail(new Error('still away'))
  await turn()
  t.strictSame([it.open, closed()], [true, 0])
  probes.shut()
  clock.advance(500)
  probes.open()
  await turn()
  t.strictSame([it.open, closed()], [false, 1])
  clock.advance(10_000)
  await turn()
  t.equal(closed(), 1, 'closed, it does not probe')
})

t.test('a call that was under way when it opened, and succeeds, closes it', async (t) => {
  const { breaker: it, clock, probes, closed } = breaker()
  for (let failure = 0; failure < 3; failure++) it.failed()
  it.succeeded()
  t.strictSame([it.open, closed()], [false, 1])
  clock.advance(500)
  t.equal(probes.arrivals, 0)
  for (let failure = 0; failure < 3; failure++) it.failed()
  clock.advance(500)
  t.equal(probes.arrivals, 1, 'open again, it probes again')
})

t.test('stopped, it probes no more', async (t) => {
  const { breaker: it, clock, probes } = breaker()
  for (let failure = 0; failure < 3; failure++) it.failed()
  it.stop()
  clock.advance(10_000)
  t.equal(probes.arrivals, 0)
})
