import t from 'tap'
import { Breaker } from '../../plugins/shared/breaker.js'

function breaker (): { breaker: Breaker, clock: { now: number } } {
  const clock = { now: 0 }
  return { clock, breaker: new Breaker({ failures: 3, probeInterval: 500, now: () => clock.now }) }
}

t.test('failures that are not in a row do not open it', async (t) => {
  const { breaker: it } = breaker()
  for (let round = 0; round < 5; round++) {
    it.failed()
    it.failed()
    it.succeeded()
  }
  t.equal(it.open, false)
  t.equal(it.admit(), true)
})

t.test('open, it admits one probe an interval; a failed probe starts the interval again, a success closes it', async (t) => {
  const { breaker: it, clock } = breaker()
  for (let failure = 0; failure < 3; failure++) it.failed()
  t.strictSame([it.open, it.admit()], [true, false])
  clock.now = 500
  t.strictSame([it.admit(), it.admit()], [true, false])
  clock.now = 600
  it.failed()
  clock.now = 1_099
  t.equal(it.admit(), false)
  clock.now = 1_100
  t.equal(it.admit(), true)
  it.succeeded()
  t.strictSame([it.open, it.admit(), it.admit()], [false, true, true])
})
