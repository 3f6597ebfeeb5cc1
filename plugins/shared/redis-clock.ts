import type { RedisClient } from './redis-client.js'

/** Clocks drift by far less than a millisecond in this time. */
const FRESH = 30_000

/**
 * Redis' clock as seen from here, so that a script can be told until when it may run: a command that we gave up may
 * still wait in a socket or in a client that is reconnecting.
 */
export class RedisClock {
  readonly #client: RedisClient
  readonly #now: () => number
  #offset = 0
  #learnt = -Infinity

  /** @param now a monotonic clock, milliseconds */
  constructor (client: RedisClient, now: () => number) {
    this.#client = client
    this.#now = now
  }

  /** @returns Redis' time, milliseconds, in `ahead` milliseconds from now; at most by the time that a reply takes too early */
  async in (ahead: number): Promise<number> {
    const asked = this.#now()
    if (asked - this.#learnt > FRESH) {
      const [seconds, microseconds] = await this.#client.time()
      this.#learnt = this.#now()
      this.#offset = Number(seconds) * 1_000 + Number(microseconds) / 1_000 - this.#learnt
    }
    return asked + this.#offset + ahead
  }

  /** The two clocks have come apart: one of them was set. */
  forget (): void {
    this.#learnt = -Infinity
  }
}
