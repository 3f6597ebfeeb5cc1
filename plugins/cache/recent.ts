/** Names with when they came last, for a while. */
export class Recent {
  readonly #names = new Map<string, number>()
  readonly #lasting: number
  readonly #most: number
  readonly #now: () => number
  /** Until when some that should be remembered are not: they were too many. */
  #forgotUntil = -Infinity

  /**
   * @param lasting milliseconds
   * @param most names at once
   * @param now a monotonic clock, milliseconds
   */
  constructor (lasting: number, most: number, now: () => number = () => performance.now()) {
    this.#lasting = lasting
    this.#most = most
    this.#now = now
  }

  add (names: readonly string[]): void {
    const now = this.#now()
    for (const name of names) {
      // Last in the order of insertion, which so is that of time.
      this.#names.delete(name)
      this.#names.set(name, now)
    }
    for (const [name, at] of this.#names) {
      const isOver = now - at > this.#lasting
      if (!isOver && this.#names.size <= this.#most) break
      this.#names.delete(name)
      if (!isOver) this.#forgotUntil = at + this.#lasting
    }
  }

  /** @returns undefined when there were too many to remember all of them */
  names (): string[] | undefined {
    const now = this.#now()
    if (now <= this.#forgotUntil) return undefined
    return [...this.#names].filter(([, at]) => now - at <= this.#lasting).map(([name]) => name)
  }
}
