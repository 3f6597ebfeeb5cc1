/** More than these are not remembered one by one: memory is bounded, and an outage is not. */
const MOST = 100_000

/** Told at once. */
const BATCH = 100

/** Milliseconds between two attempts to tell. */
const RETRY_INTERVAL = 500

/**
 * Keys, or tags, of which Redis could not be told that what it has is void. What stands there under them is too old for
 * this process to give out. They are told again until Redis has heard of all of them.
 */
export class Untold {
  readonly #names = new Map<string, symbol>()
  readonly #tellAgain: (name: string) => Promise<boolean>
  readonly #onFull: () => void
  #retry: NodeJS.Timeout | undefined
  #telling = false
  #closed = false

  /**
   * @param tellAgain resolves whether Redis was told; adds the name again when not
   * @param onFull all names are forgotten: from now on, all that Redis has is too old
   */
  constructor (tellAgain: (name: string) => Promise<boolean>, onFull: () => void) {
    this.#tellAgain = tellAgain
    this.#onFull = onFull
  }

  add (names: readonly string[]): void {
    for (const name of names) {
      this.#names.delete(name)
      this.#names.set(name, Symbol(name))
    }
    if (this.#names.size > MOST) {
      this.#names.clear()
      this.#onFull()
    }
    this.#schedule()
  }

  has (name: string): boolean {
    return this.#names.has(name)
  }

  get size (): number {
    return this.#names.size
  }

  /** Strikes the names off when `tell` resolves true, but for those that were added once more meanwhile. */
  async track (names: readonly string[], tell: () => Promise<boolean>): Promise<boolean> {
    const entries = names.map((name) => this.#names.get(name))
    const told = await tell()
    if (told) names.forEach((name, index) => { if (this.#names.get(name) === entries[index]) this.#names.delete(name) })
    return told
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#retry)
  }

  /** Redis answers again. */
  recovered (): void {
    if (this.#telling || this.#names.size === 0) return
    clearTimeout(this.#retry)
    this.#tell()
  }

  #schedule (): void {
    if (this.#retry !== undefined || this.#telling || this.#closed || this.#names.size === 0) return
    this.#retry = setTimeout(() => { this.#tell() }, RETRY_INTERVAL).unref()
  }

  #tell (): void {
    this.#retry = undefined
    if (this.#closed) return
    this.#telling = true
    void this.#tellAll().finally(() => {
      this.#telling = false
      this.#schedule()
    })
  }

  async #tellAll (): Promise<void> {
    for (let names = [...this.#names.keys()]; names.length > 0;) {
      const told = await Promise.all(names.splice(0, BATCH).map((name) => this.#tellAgain(name)))
      // Where some were told, it is one of several nodes that is away.
      if (!told.includes(true)) return
    }
  }
}
