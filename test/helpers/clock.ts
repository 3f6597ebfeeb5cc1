export interface Clock {
  /** Milliseconds, for a `now` option. Needs no `this`. */
  readonly now: () => number
  /** Moves the time on, and runs what falls due on the way, in order and each at its moment. */
  advance (milliseconds: number): void
  /** As the global one, for code that takes its timers as an argument. */
  readonly setTimeout: <Args extends unknown[]>(callback: (...args: Args) => void, milliseconds?: number, ...args: Args) => Timer
  readonly clearTimeout: (timer: Timer | undefined) => void
}

/** What `setTimeout` gives: no clock of ours keeps a process alive, so `ref` and `unref` change nothing. */
export interface Timer {
  ref (): this
  unref (): this
}

interface Due {
  at: number
  run: () => void
}

/** A clock that stands still until a test moves it. It may start anywhere: at `Date.now()` for Redis to agree with it. */
export function manualClock (start = 0): Clock {
  const timers = new Map<Timer, Due>()
  let time = start

  /** Of two that are due at once, the one that was set first: a map keeps that order. */
  function next (until: number): [Timer, Due] | undefined {
    let first: [Timer, Due] | undefined
    for (const entry of timers) {
      if (entry[1].at <= until && (first === undefined || entry[1].at < first[1].at)) first = entry
    }
    return first
  }

  return {
    now: () => time,
    advance (milliseconds) {
      if (!(milliseconds >= 0)) throw new RangeError(`A clock goes forward: expected zero or more milliseconds, got ${milliseconds}`)
      const until = time + milliseconds
      for (let due = next(until); due !== undefined; due = next(until)) {
        const [timer, { at, run }] = due
        timers.delete(timer)
        time = at
        run()
      }
      time = until
    },
    setTimeout (callback, milliseconds = 0, ...args) {
      const timer: Timer = { ref: () => timer, unref: () => timer }
      // As with the real one, nothing is due at once.
      timers.set(timer, { at: time + Math.max(1, milliseconds), run: () => { callback(...args) } })
      return timer
    },
    clearTimeout (timer) {
      if (timer !== undefined) timers.delete(timer)
    }
  }
}
