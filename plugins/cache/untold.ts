/** More than these are not remembered one by one: memory is bounded, and an outage is not. */
const MOST = 100_000

/** Told at once. */
const BATCH = 100

/** Milliseconds between two attempts to tell. */
const RETRY_INTERVAL = 500

export interface UntoldOptions {
  /** Resolves whether Redis was told; adds the name again when not. */
  tellAgain: (name: string) => Promise<boolean>
  /** The names by the servers that are to be told. */
  groupsOf: (names: readonly string[]) => ReadonlyArray<readonly string[]>
  /** All names are forgotten: from now on, all that Redis has is too old. */
  onFull: () => void
}

/**
 * Keys, or tags, of which Redis could not be told that what it has is void. What stands there under them is too old for
 * this process to give out. They are told again until Redis has heard of all of them.
 */
export class Untold {
  readonly #names = new Map<string, symbol>()
  readonly #options: UntoldOptions
  #retry: NodeJS.Timeout | undefined
  #telling = false
  #closed = false

  constructor (options: UntoldOptions) {
    this.#options = options
  }

  add (names: readonly string[]): void {
    for (const name of names) {
      this.#names.delete(name)
      this.#names.set(name, Symbol(name))
    }
    if (this.#names.size > MOST) {
      this.#names.clear()
      this.#options.onFull()
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

  /** Those of one server, of which it may be that none can be told, hold up none of another. */
  async #tellAll (): Promise<void> {
    const { groupsOf, tellAgain } = this.#options
    await Promise.all(groupsOf([...this.#names.keys()]).map(async (names) => {
      for (let from = 0; from < names.length; from += BATCH) {
        const told = await Promise.all(names.slice(from, from + BATCH).map((name) => tellAgain(name)))
        if (!told.includes(true)) return
      }
    }))
  }
}
