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

  /** @param at when they came, on the same clock; of names added one after the other in this order, but for a command's time */
  add (names: readonly string[], at = this.#now()): void {
    for (const name of names) {
      // Last in the order of insertion, which so is that of time.
      this.#names.delete(name)
      this.#names.set(name, at)
    }
    for (const [name, came] of this.#names) {
      if (this.#names.size <= this.#most) break
      this.#names.delete(name)
      this.#forgot = Math.max(this.#forgot, came)
    }
  }

  /** Whether none has come, as far as that matters. */
  get isEmpty (): boolean {
    return this.#names.size === 0 && !this.#forgotAny
  }

  /** When it last came; `Infinity` where it has not, and `-Infinity` where it may have, but is not remembered. */
  cameAt (name: string): number {
    return this.#names.get(name) ?? (this.#forgotAny ? -Infinity : Infinity)
  }

  /** At that time all was well with what came till then, but for what came just before. @param isMeant of which names; without it of all */
  confirm (at: number, isMeant?: (name: string) => boolean): void {
    const floor = at - this.#lasting
    if (isMeant === undefined) this.#floor = Math.max(this.#floor, floor)
    for (const [name, came] of this.#names) {
      if (came >= floor) break
      if (isMeant === undefined || isMeant(name)) this.#names.delete(name)
    }
  }

  /** @returns undefined when there were too many to remember all of them */
  names (isMeant: (name: string) => boolean = () => true): string[] | undefined {
    return this.#forgotAny ? undefined : [...this.#names.keys()].filter(isMeant)
  }

  get #forgotAny (): boolean {
    return this.#forgot >= this.#floor
  }
}
