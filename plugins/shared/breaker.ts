export interface BreakerOptions {
  /** Failures in a row that open it. */
  failures: number
  /** Milliseconds between two probes while it is open. */
  probeInterval: number
  /** Finds out, in bounded time, whether calls may go on; rejects where they may not. */
  probe: () => Promise<unknown>
  /** Called when it has been open and calls may go on. */
  onClose?: () => void
  /** Default: the global one. */
  setTimeout?: (callback: () => void, milliseconds: number) => { unref (): unknown }
}

/**
 * Circuit breaker (Nygard, Release It!): after some failures in a row calls are refused at once. Whether they may go on again
 * it finds out by itself, by a probe now and then: no caller waits for that.
 */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #setTimeout: NonNullable<BreakerOptions['setTimeout']>
  #failures = 0
  #waiting = false
  #probing = false
  #stopped = false

  constructor (options: BreakerOptions) {
    this.#options = options
    this.#setTimeout = options.setTimeout ?? setTimeout
  }

  get open (): boolean {
    return this.#failures >= this.#options.failures
  }

  /** Whether the last call failed. */
  get failing (): boolean {
    return this.#failures > 0
  }

  succeeded (): void {
    const wasOpen = this.open
    this.#failures = 0
    if (wasOpen) this.#options.onClose?.()
  }

  failed (): void {
    this.#failures++
    if (this.open && !this.#stopped) this.#probeLater()
  }

  /** No more probes. */
  stop (): void {
    this.#stopped = true
  }

  #probeLater (): void {
    if (this.#waiting) return
    this.#waiting = true
    this.#setTimeout(() => {
      this.#waiting = false
      if (this.#stopped || !this.open) return
      this.#probeLater()
      void this.#probe()
    }, this.#options.probeInterval).unref()
  }

  async #probe (): Promise<void> {
    if (this.#probing) return
    this.#probing = true
    try {
      await this.#options.probe()
      this.succeeded()
    } catch {
      // It stays open.
    } finally {
      this.#probing = false
    }
  }
}
