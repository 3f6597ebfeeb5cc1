import t from 'tap'
import { Throttle } from '../../plugins/cache/throttle.js'
import { manualClock } from '../helpers/clock.js'

t.test('a key pauses for five seconds after a failure, and no other does', async (t) => {
  const clock = manualClock()
  const throttle = new Throttle(clock.now)
  t.equal(throttle.pausing('a'), false)
  throttle.failed('a')
  clock.advance(4_999)
  t.equal(throttle.pausing('a'), true)
  t.equal(throttle.pausing('b'), false)
  clock.advance(1)
  t.equal(throttle.pausing('a'), false)
})

t.test('a pause counts from the last failure, and a success ends it', async (t) => {
  const clock = manualClock()
  const throttle = new Throttle(clock.now)
  throttle.failed('a')
  clock.advance(4_000)
  throttle.failed('a')
  clock.advance(4_000)
  t.equal(throttle.pausing('a'), true)
  throttle.succeeded('a')
  t.equal(throttle.pausing('a'), false)
  throttle.succeeded('never failed')
})

t.test('of more failures than can be remembered the newest count', async (t) => {
  const throttle = new Throttle(() => 0)
  for (let key = 0; key < 10_001; key++) throttle.failed(`${key}`)
  t.equal(throttle.pausing('0'), false)
  t.equal(throttle.pausing('1'), true)
  t.equal(throttle.pausing('10000'), true)
})
