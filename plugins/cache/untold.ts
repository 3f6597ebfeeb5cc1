/** More than these, and the oldest are forgotten: memory is bounded, and an outage is not. */
const MOST = 100_000

/** Told at once, when Redis is known to answer again. */
const BATCH = 100

/** Milliseconds between two attempts to tell. */
const RETRY_INTERVAL = 500

/**
 * Keys whose write or delete Redis could not be told. What stands there under them is too old for this process to give
 * out. They are told again, as deletes, until Redis has heard of all of them.
 */
export class UntoldKeys {
  readonly #keys = new Map<string, symbol>()
  readonly #tellAgain: (key: string) => Promise<boolean>
  #retry: NodeJS.Timeout | undefined
  #closed = false

  /** @param tellAgain resolves whether Redis was told that the key is deleted; adds the key again when not */
  constructor (tellAgain: (key: string) => Promise<boolean>) {
    this.#tellAgain = tellAgain
  }

  add (key: string): void {
    this.#keys.delete(key)
    this.#keys.set(key, Symbol(key))
    if (this.#keys.size > MOST) this.#keys.delete(this.#keys.keys().next().value!)
    this.#schedule()
  }

  has (key: string): boolean {
    return this.#keys.has(key)
  }

  get size (): number {
    return this.#keys.size
  }

  /** Strikes the key off when `tell` resolves true, unless it was added once more meanwhile. */
  async track (key: string, tell: () => Promise<boolean>): Promise<boolean> {
    const entry = this.#keys.get(key)
    const told = await tell()
    if (told && this.#keys.get(key) === entry) this.#keys.delete(key)
    return told
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#retry)
  }

  #schedule (): void {
    if (this.#retry !== undefined || this.#closed || this.#keys.size === 0) return
    this.#retry = setTimeout(() => {
      void this.#tellAll().finally(() => {
        this.#retry = undefined
        this.#schedule()
      })
    }, RETRY_INTERVAL).unref()
  }

  /** One alone at first: with the breaker open it is the probe, and all others would be refused. */
  async #tellAll (): Promise<void> {
    let batch = 1
    for (let keys = [...this.#keys.keys()]; keys.length > 0; batch = BATCH) {
      const told = await Promise.all(keys.splice(0, batch).map((key) => this.#tellAgain(key)))
      if (told.includes(false)) return
    }
  }
}
