/** Milliseconds between two looks at the clocks. */
const INTERVAL = 500

/** Milliseconds by which the two may come apart unnoticed: on some systems one goes a little faster than the other. */
const TOLERANCE = 250

export interface SetBackOptions {
  /** Wall clock, milliseconds. */
  now: () => number
  /** A clock that nobody sets, milliseconds. */
  monotonicNow: () => number
  onSetBack: () => void
}

/**
 * Notices within a second that the wall clock was set back. Values end at a time of day, which is then further off than was
 * meant. Here and not where they are read: of a hit in memory a look at a second clock would be a third.
 */
export class SetBack {
  readonly #options: SetBackOptions
  readonly #timer: NodeJS.Timeout
  /** By how much the wall clock has been before the other one, at most. */
  #ahead = -Infinity

  constructor (options: SetBackOptions) {
    this.#options = options
    this.look()
    this.#timer = setInterval(() => { this.look() }, INTERVAL).unref()
  }

  look (): void {
    const { now, monotonicNow, onSetBack } = this.#options
    const ahead = now() - monotonicNow()
    const isSetBack = ahead < this.#ahead - TOLERANCE
    this.#ahead = isSetBack ? ahead : Math.max(ahead, this.#ahead)
    if (isSetBack) onSetBack()
  }

  close (): void {
    clearInterval(this.#timer)
  }
}
