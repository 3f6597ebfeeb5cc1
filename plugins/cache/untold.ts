/** More than these, and the oldest are forgotten: memory is bounded, and an outage is not. */
const MOST = 100_000

/**
 * Keys whose write or delete Redis could not be told. What stands there under them is too old for this process to give
 * out, and they are told again when Redis is back.
 */
export class UntoldKeys {
  readonly #keys = new Map<string, symbol>()

  add (key: string): void {
    this.#keys.delete(key)
    this.#keys.set(key, Symbol(key))
    if (this.#keys.size > MOST) this.#keys.delete(this.#keys.keys().next().value!)
  }

  has (key: string): boolean {
    return this.#keys.has(key)
  }

  keys (): string[] {
    return [...this.#keys.keys()]
  }

  /** Tells Redis of a key, and strikes it off unless it was added once more meanwhile. @returns whether Redis was told */
  async tell (key: string, tell: (key: string) => Promise<boolean>): Promise<boolean> {
    const entry = this.#keys.get(key)
    const told = await tell(key)
    if (told && this.#keys.get(key) === entry) this.#keys.delete(key)
    return told
  }
}
