import type { Test } from 'tap'

export interface Timer { milliseconds: number, tick: () => void, running: boolean, unref: boolean }

/** Takes the place of the process's interval timers; only timers of this test file see it. */
export function fakeIntervals (t: Test): Timer[] {
  const timers: Timer[] = []
  t.intercept(globalThis, 'setInterval', {
    value: (tick: () => void, milliseconds: number) => {
      const timer: Timer = { milliseconds, tick, running: true, unref: false }
      timers.push(timer)
      const handle = Object.assign(timer, { ref: () => handle, hasRef: () => !timer.unref })
      return Object.assign(handle, {
        unref () {
          Object.defineProperty(timer, 'unref', { value: true })
          return handle
        }
      })
    }
  })
  t.intercept(globalThis, 'clearInterval', {
    value: (timer?: Timer) => {
      if (timer) timer.running = false
    }
  })
  return timers
}
