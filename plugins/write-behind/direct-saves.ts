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
  /** That is known of. */
  highest: () => number
  /** None lower is given out by this process from now on. */
  see: (version: number) => void
}

/**
 * The most, in milliseconds, by which the clocks of a process and of a Redis that it has not asked, or not for long, are believed to be
 * apart. NTP keeps hosts within a few.
 */
const SKEW = 250

/**
 * Saves without Redis.
 *
 * The version is to be higher than that of every write before it, and lower than that of every one after it, whichever process makes
 * that: so it is the latest that Redis' clock can be at, and no one is told of the write until that has certainly passed (the commit
 * wait of Corbett et al., "Spanner", OSDI 2012, §4.2).
 */
export class DirectSaves {
  readonly #options: DirectSavesOptions
  readonly #closing = new AbortController()

  constructor (options: DirectSavesOptions) {
    this.#options = options
  }

  /** @returns the version @throws what `save` throws */
  async save ({ id, payload }: DirectWrite): Promise<number> {
    const { saver, highest, see } = this.#options
    const { earliest, latest } = this.#time(id)
    const version = Math.max(Math.ceil(latest * 1_000), highest() + 1)
    const certain = performance.now() + latest - earliest
    const [outcome] = await saver.run([{ id, value: valueOf(payload), version }], this.#closing.signal)
    if (outcome!.kind === 'put off') throw this.#closing.signal.reason
    if (outcome!.kind !== 'saved') throw outcome!.error
    await this.#until(certain)
    // Not before: till then, one of another id that is acknowledged at once could get a version from the future.
    see(version)
    return version
  }

  /** What is under way is told to end. */
  close (error: Error): void {
    this.#closing.abort(error)
  }

  #time (id: Id): TimeBounds {
    const known = this.#options.timeOf(id)
    if (known !== undefined && known.latest - known.earliest <= 2 * SKEW) return known
    const now = this.#options.now()
    return { earliest: now - SKEW, latest: now + SKEW }
  }

  async #until (moment: number): Promise<void> {
    const { signal } = this.#closing
    const left = moment - performance.now()
    if (left <= 0 || signal.aborted) return
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, left)
      signal.addEventListener('abort', end)
    })
  }
}
