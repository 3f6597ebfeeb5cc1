/** What has answered so lately, in milliseconds, need not be asked whether it is there. */
const FRESH = 5_000

/** Milliseconds in which a pool that is ready has a connection to give, and its database an answer. */
export const PROMPT = 1_000

/** Whether a pool can serve: by what it last did, or, where that is long ago, by what the database says when it is asked. */
export class Readiness {
  readonly #now: () => number
  readonly #probe: () => Promise<void>
  readonly #predictedWait: () => number
  #isClosing = false
  #isAway = false
  #isInDoubt = false
  #lastAnswer = -Infinity
  #probing: Promise<boolean> | undefined

  /**
   * @param probe asks the database for a sign of life; rejects where there is none in time
   * @param predictedWait milliseconds that who asks for a connection now would wait
   */
  constructor (now: () => number, probe: () => Promise<void>, predictedWait: () => number) {
    this.#now = now
    this.#probe = probe
    this.#predictedWait = predictedWait
  }

  /** As far as is known. An exhausted pool is ready while connections come back to it: those who wait are many, but are served. */
  get isLikely (): boolean {
    return !this.#isClosing && !this.#isAway && (this.#hasAnswered() || this.#predictedWait() <= PROMPT)
  }

  /** Never rejects. */
  async ask (): Promise<boolean> {
    if (this.#isClosing) return false
    if (this.isLikely && this.#hasAnswered() && !this.#isInDoubt) return true
    this.#probing ??= this.#probe().then(() => { this.answered(this.#now()); return true }, () => false).finally(() => { this.#probing = undefined })
    return await this.#probing && !this.#isClosing
  }

  /** Asks a database that is away, or may be, whether it is there. */
  look (): void {
    if (this.#isAway || this.#isInDoubt) void this.ask()
  }

  answered (now: number): void {
    this.#isAway = false
    this.#isInDoubt = false
    this.#lastAnswer = now
  }

  away (): void {
    this.#isAway = true
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
