/** Names with when they came last, for as long as that may matter. */
export class Recent {
  readonly #names = new Map<string, number>()
  readonly #lasting: number
  readonly #most: number
  readonly #now: () => number
  /** What came before that does not matter. */
  #floor = -Number.MAX_VALUE
  /** When the last came of those that are not remembered: they were too many. */
  #forgot = -Infinity

  /**
   * @param lasting milliseconds for which a name matters after it is known to have come where it should
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
      if (this.#names.size <= this.#most) break
      this.#names.delete(name)
      this.#forgot = at
    }
  }

  /** Whether it came before that time, or may have. */
  has (name: string, before: number): boolean {
    return (this.#names.get(name) ?? Infinity) < before || this.#forgot >= this.#floor
  }

  /** At that time all was well with what came till then, but for what came just before. */
  confirm (at: number): void {
    this.#floor = Math.max(this.#floor, at - this.#lasting)
    for (const [name, came] of this.#names) {
      if (came >= this.#floor) break
      this.#names.delete(name)
    }
  }

  /** @returns undefined when there were too many to remember all of them */
  names (): string[] | undefined {
    return this.#forgot >= this.#floor ? undefined : [...this.#names.keys()]
  }
}
