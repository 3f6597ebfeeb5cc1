import { LRUCache } from 'lru-cache'
import { atMost } from '../shared/lru-bound.js'

const MOST = 10_000

/** Milliseconds after a failed load in which a stale value serves without another attempt. */
const PAUSE = 5_000

/** Keys whose load has just failed: while a stale value does, the source is left alone. Counted from the failure, not from the value's end. */
export class Throttle {
  readonly #until = new LRUCache<string, number>(atMost(MOST))
  readonly #now: () => number

  /** @param now a clock that nobody sets, milliseconds: one set back would have the source left alone for so much longer */
  constructor (now: () => number) {
    this.#now = now
  }

  failed (key: string): void {
    this.#until.set(key, this.#now() + PAUSE)
  }

  succeeded (key: string): void {
    this.#until.delete(key)
  }

  pausing (key: string): boolean {
    return (this.#until.get(key) ?? 0) > this.#now()
  }
}
