import t from 'tap'
import { manualClock } from './clock.js'

t.test('time stands still until it is moved', (t) => {
  const { now, advance } = manualClock(1_000)
  t.equal(now(), 1_000)
  advance(250)
  advance(0)
  t.equal(now(), 1_250)
  t.throws(() => advance(-1), { message: 'A clock goes forward: expected zero or more milliseconds, got -1' })
  t.throws(() => advance(NaN), RangeError)
  t.end()
})

t.test('timers run when they are due, in order, each at its moment', (t) => {
  const clock = manualClock()
  const ran: string[] = []
  const note = (name: string): void => { ran.push(`${name} at ${clock.now()}`) }
  clock.setTimeout(note, 30, 'late')
  clock.setTimeout(note, 10, 'first')
  clock.setTimeout(note, 10, 'second')
  clock.advance(9)
  t.strictSame(ran, [])
  clock.advance(20)
  t.strictSame(ran, ['first at 10', 'second at 10'])
  t.equal(clock.now(), 29)
  clock.advance(1)
  t.strictSame(ran.at(-1), 'late at 30')
  t.end()
})

t.test('a timer that a timer sets runs in the same move when it falls due', (t) => {
  const clock = manualClock()
  let ticks = 0
  const tick = (): void => {
    ticks++
    clock.setTimeout(tick, 10).unref()
  }
  clock.setTimeout(tick, 10)
  clock.advance(35)
  t.equal(ticks, 3)
  t.end()
})

t.test('a cleared timer does not run', (t) => {
  const clock = manualClock()
  const timer = clock.setTimeout(() => t.fail('cleared'), 10)
  clock.clearTimeout(timer)
  clock.clearTimeout(undefined)
  clock.advance(20)
  t.end()
})

t.test('a timer of no milliseconds waits for the next move, so that it cannot run for ever in one', (t) => {
  const clock = manualClock()
  let ran = 0
  clock.setTimeout(function again () { ran++; clock.setTimeout(again) })
  clock.advance(3)
  t.equal(ran, 3)
  t.end()
})
