/** What has answered so lately, in milliseconds, need not be asked whether it is there. */
const FRESH = 5_000

/** Milliseconds in which a database that is there answers. */
export const PROMPT = 1_000

/** Whether a pool can serve: by what it last did, or, where that is long ago, by what the database says when it is asked. */
export class Readiness {
  readonly #now: () => number
  readonly #probe: () => Promise<void>
  readonly #isStuck: () => boolean
  readonly #changed: (isAway: boolean) => void
  #isClosing = false
  #isAway = false
  #isInDoubt = false
  #lastAnswer = -Infinity
  #probing: Promise<boolean> | undefined

  /**
   * @param probe asks the database for a sign of life; rejects where there is none in time
   * @param isStuck whether no connection can be expected to come back
   * @param changed called when the database is found to be away, and when it is back
   */
  constructor (now: () => number, probe: () => Promise<void>, isStuck: () => boolean, changed: (isAway: boolean) => void) {
    this.#now = now
    this.#probe = probe
    this.#isStuck = isStuck
    this.#changed = changed
  }

  /** As far as is known. A pool that is only exhausted is ready: were it not, all processes of a busy app would be out at once. */
  get isLikely (): boolean {
    return !this.#isClosing && !this.#isAway && !this.#isStuck()
  }

  /** Never rejects. */
  async ask (): Promise<boolean> {
    if (this.#isClosing || this.#isStuck()) return false
    if (!this.#isAway && !this.#isInDoubt && this.#hasAnswered()) return true
    this.#probing ??= this.#probe().then(() => { this.answered(this.#now()); return true }, () => false).finally(() => { this.#probing = undefined })
    return await this.#probing && !this.#isClosing
  }

  /** Asks a database that is away, or may be, whether it is there. */
  look (): void {
    if (this.#isAway || this.#isInDoubt) void this.ask()
  }

  answered (now: number): void {
    this.#isInDoubt = false
    this.#lastAnswer = now
    if (!this.#isAway) return
    this.#isAway = false
    this.#changed(false)
  }

  away (): void {
    if (this.#isAway) return
    this.#isAway = true
    this.#changed(true)
  }

  /** A connection was lost: that may be all that was, or the first sign that the database is. It is asked with the next look. */
  doubt (): void {
    this.#isInDoubt = true
  }

  /** The app closes: it is not ready from now on. */
  close (): void {
    this.#isClosing = true
  }

  #hasAnswered (): boolean {
    return this.#now() - this.#lastAnswer < FRESH
  }
}
