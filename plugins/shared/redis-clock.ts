import type { RedisClient } from './redis-client.js'

/** Clocks drift by far less than a millisecond in this time. */
const FRESH = 30_000

/** Milliseconds for which a question is waited for by those who come after it: clients can drop a command without a word. */
const SHARED = 20

/** TIME names no key, and so a Cluster's client would ask any node. */
const TIME_OF_NODE = "return redis.call('TIME')"

/** Milliseconds of a server's time. */
export interface TimeBounds {
  readonly earliest: number
  readonly latest: number
}

/** The most by which two clocks come apart in a millisecond: what NTP corrects at most, 500 parts in a million. */
const DRIFT = 5e-4

/**
 * The clock of a server as seen from here, so that a script can be told until when it may run: a command that we gave up may
 * still wait in a socket or in a client that is reconnecting.
 */
export class RedisClock {
  readonly #client: RedisClient
  readonly #now: () => number
  #offset = 0
  #learnt = -Infinity
  /** Milliseconds that the question for it took: the server answered at some time in them. */
  #roundTrip = 0
  #question: { readonly asked: number, readonly answer: Promise<void> } | undefined

  /** @param now a monotonic clock, milliseconds */
  constructor (client: RedisClient, now: () => number) {
    this.#client = client
    this.#now = now
  }

  /**
   * @param key that the server answers for
   * @returns the server's time, milliseconds, in `ahead` milliseconds from now; at most by the time that a reply takes too early
   */
  async in (ahead: number, key: string): Promise<number> {
    const asked = this.#now()
    if (asked - this.#learnt > FRESH) await this.#learnOnce(key, asked)
    return asked + this.#offset + ahead
  }

  /** Between which times it is there now; undefined where it was not asked yet, or its answer is of no use any more. */
  bounds (): TimeBounds | undefined {
    if (this.#learnt === -Infinity) return undefined
    const now = this.#now()
    const drift = (now - this.#learnt) * DRIFT
    return { earliest: now + this.#offset - drift, latest: now + this.#offset + this.#roundTrip + drift }
  }

  /** Asks the server what time it is. @param key that it answers for */
  async learn (key: string): Promise<void> {
    const asked = this.#now()
    const [seconds, microseconds] = await this.#ask(key)
    this.#learnt = this.#now()
    this.#roundTrip = this.#learnt - asked
    this.#offset = Number(seconds) * 1_000 + Number(microseconds) / 1_000 - this.#learnt
  }

  /** The two clocks have come apart: one of them was set, or another server is meant. */
  forget (): void {
    this.#learnt = -Infinity
    this.#question = undefined
  }

  /** Asks for all who want to know it just now. */
  async #learnOnce (key: string, now: number): Promise<void> {
    if (this.#question === undefined || now - this.#question.asked > SHARED) this.#question = { asked: now, answer: this.learn(key) }
    await this.#question.answer
  }

  async #ask (key: string): Promise<ReadonlyArray<number | string>> {
    if (this.#client.isCluster !== true) return await this.#client.time()
    return await this.#client.eval(TIME_OF_NODE, 1, key) as string[]
  }
}
