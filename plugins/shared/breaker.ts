export interface BreakerOptions {
  /** Failures in a row that open it. */
  failures: number
  /** Milliseconds between two probes while it is open. */
  probeInterval: number
  /** A monotonic clock, milliseconds. */
  now: () => number
}

/**
 * Circuit breaker (Nygard, Release It!): after some failures in a row calls are refused at once, but for a probe now and
 * then; a probe that succeeds closes it again.
 */
export class Breaker {
  readonly #options: BreakerOptions
  #failures = 0
  #nextProbe = 0

  constructor (options: BreakerOptions) {
    this.#options = options
  }

  get open (): boolean {
    return this.#failures >= this.#options.failures
  }

  /** Whether this call may go on; while the breaker is open, the one that may is the probe. */
  admit (): boolean {
    if (!this.open) return true
    const { now, probeInterval } = this.#options
    if (now() < this.#nextProbe) return false
    this.#nextProbe = now() + probeInterval
    return true
  }

  succeeded (): void {
    this.#failures = 0
  }

  failed (): void {
    this.#failures++
    this.#nextProbe = this.#options.now() + this.#options.probeInterval
  }
}
