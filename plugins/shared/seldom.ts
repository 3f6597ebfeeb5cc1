/** So many kinds of trouble are told apart. */
const MOST = 100

/** Says of each kind of trouble once in a while that it is there, however often it happens. */
export class Seldom {
  readonly #interval: number
  readonly #now: () => number
  readonly #last = new Map<string, number>()

  /**
   * @param interval milliseconds between two lines about the same kind
   * @param now a monotonic clock, milliseconds
   */
  constructor (interval: number, now: () => number = () => performance.now()) {
    this.#interval = interval
    this.#now = now
  }

  say (kind: string, say: () => void): void {
    const moment = this.#now()
    if (moment - (this.#last.get(kind) ?? -Infinity) < this.#interval) return
    // Last in the order of insertion, so that the first one is the oldest.
    this.#last.delete(kind)
    this.#last.set(kind, moment)
    if (this.#last.size > MOST) this.#last.delete(this.#last.keys().next().value!)
    say()
  }
}
