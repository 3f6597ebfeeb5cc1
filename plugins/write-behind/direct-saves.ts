import { InOrder } from '../shared/in-order.js'
import type { TimeBounds } from '../shared/redis-clock.js'
import { valueOf, type Id } from './record.js'
import type { Saver } from './saver.js'

/** A write that is not queued. */
export interface DirectWrite {
  readonly id: Id
  readonly payload: Buffer
}

export interface DirectSavesOptions {
  saver: Saver
  /** Redis' time, by which versions are given; undefined where it is not known. */
  timeOf: (id: Id) => TimeBounds | undefined
  /** Wall clock, milliseconds. */
  now: () => number
  /** Takes a version, or one more than the highest of this process, if that is higher. @returns which it is */
  take: (version: number) => number
}

/**
 * The most, in milliseconds, by which the clocks of a process and of a Redis that it has not asked yet are believed to be apart. NTP
 * keeps hosts within a few.
 */
const SKEW = 250

/**
 * Saves without Redis: of each id one after the other, and of those that wait for that only the last.
 *
 * Its version is to be higher than that of every write before it, and lower than that of every one after it, whichever process makes
 * that: so it is the latest that Redis' clock can be at, and no one is told of the write until that has certainly passed (the commit
 * wait of Corbett et al., "Spanner", OSDI 2012, §4.2).
 */
export class DirectSaves {
  readonly #options: DirectSavesOptions
  readonly #inOrder = new InOrder<number>()
  readonly #underWay = new Map<string, number>()
  readonly #closing = new AbortController()

  constructor (options: DirectSavesOptions) {
    this.#options = options
  }

  /** Whether one of the id is under way: what comes after it is not to be queued. */
  isBusy (id: Id): boolean {
    return this.#underWay.has(String(id))
  }

  /** @param mayBegin rejects where it may not be saved @returns the version @throws what `save` throws */
  async save (write: DirectWrite, mayBegin: () => Promise<void>): Promise<number> {
    const key = String(write.id)
    this.#underWay.set(key, (this.#underWay.get(key) ?? 0) + 1)
    try {
      return await this.#inOrder.run(key, async () => {
        await mayBegin()
        return await this.#save(write)
      }, true)
    } finally {
      const left = this.#underWay.get(key)! - 1
      if (left === 0) this.#underWay.delete(key)
      else this.#underWay.set(key, left)
    }
  }

  /** What is under way is aborted. */
  close (error: Error): void {
    this.#closing.abort(error)
  }

  async #save ({ id, payload }: DirectWrite): Promise<number> {
    const { saver, take } = this.#options
    const { earliest, latest } = this.#time(id)
    const certain = performance.now() + latest - earliest
    const version = take(Math.ceil(latest * 1_000))
    const [outcome] = await saver.run([{ id, value: valueOf(payload), version }], this.#closing.signal)
    if (outcome!.kind === 'failed' || outcome!.kind === 'outage') throw outcome!.error
    const left = certain - performance.now()
    if (left > 0) await new Promise((resolve) => { setTimeout(resolve, left) })
    return version
  }

  #time (id: Id): TimeBounds {
    const known = this.#options.timeOf(id)
    if (known !== undefined) return known
    const now = this.#options.now()
    return { earliest: now - SKEW, latest: now + SKEW }
  }
}
