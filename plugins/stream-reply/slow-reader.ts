/** Bytes that a client may not have read yet when more is asked for: they stand in buffers. */
const BUFFERED = 65_536

/**
 * How fast a client reads, of the time in which there was something to read. What it is offered comes in pieces, one of which may
 * take it minutes: it has as long for each as that takes at the rate, and a little more.
 */
export class ReaderPace {
  readonly #now: () => number
  readonly #bytesAMillisecond: number
  readonly #behind: number
  /** Bytes that it need not have read yet. Below 0: that it should have. */
  #left = 0
  /** Since when there is something to read; undefined: the database has to bring it. */
  #since: number | undefined

  /**
   * @param now milliseconds, monotonic
   * @param window milliseconds that it may be behind: who is in a tunnel reads nothing for a while
   */
  constructor (now: () => number, bytesASecond: number, window: number) {
    this.#now = now
    this.#bytesAMillisecond = bytesASecond / 1_000
    this.#behind = window * this.#bytesAMillisecond
  }

  /** There is something to read. */
  offered (bytes: number): void {
    this.#elapse()
    this.#left += bytes
    this.#since ??= this.#now()
  }

  /** It has read all, or nearly, and waits for more. What it has read faster gives it no time for later. */
  asked (): void {
    this.#elapse()
    this.#since = undefined
    this.#left = Math.min(this.#left, BUFFERED)
  }

  /** To be called now and then. */
  isTooSlow (): boolean {
    this.#elapse()
    return this.#left < -this.#behind
  }

  #elapse (): void {
    if (this.#since === undefined) return
    const now = this.#now()
    this.#left -= (now - this.#since) * this.#bytesAMillisecond
    this.#since = now
  }
}
