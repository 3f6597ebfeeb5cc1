/** Bounds how much is under way at once. */
export class Slots {
  readonly #limit: number
  #taken = 0
  readonly #waiting: Array<() => void> = []

  constructor (limit: number) {
    this.#limit = limit
  }

  get taken (): number {
    return this.#taken
  }

  /** @returns whether there was one, which is to be given back */
  take (): boolean {
    if (this.#taken >= this.#limit) return false
    this.#taken++
    return true
  }

  give (): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#taken--
    else next()
  }

  /** Waits for one, in the order of the calls. */
  async run<T> (work: () => Promise<T>): Promise<T> {
    if (!this.take()) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    try {
      return await work()
    } finally {
      this.give()
    }
  }
}
