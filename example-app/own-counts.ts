import { LRUCache } from 'lru-cache'

/** Counts that are remembered while nobody counts. */
const MOST_IDLE = 10_000

interface Count {
  value: number | undefined
  /** Increments under way. */
  under: number
  known: Promise<void>
}

/**
 * What one process has counted. Nobody else may count under its ids: then the last value that it has written is all of it, and
 * counts of several processes are added up (a grow-only counter: Shapiro et al., "Conflict-free Replicated Data Types", 2011).
 */
export class OwnCounts {
  readonly #read: (id: number) => Promise<number | undefined>
  readonly #idle = new LRUCache<number, number>({ max: MOST_IDLE })
  /** Not to be forgotten: what is written of them cannot be read yet. */
  readonly #busy = new Map<number, Count>()

  /** @param read what was written last; undefined where that cannot be told now */
  constructor (read: (id: number) => Promise<number | undefined>) {
    this.#read = read
  }

  /**
   * Writes one more. Where that fails, the next one may count this one too.
   *
   * @param write called in the order of the values
   * @returns undefined, with nothing counted, where it is not known what to go on from
   * @throws what `read` and `write` throw
   */
  async add<T> (id: number, write: (value: number) => Promise<T>): Promise<T | undefined> {
    const count = this.#busy.get(id) ?? this.#begin(id)
    count.under++
    try {
      await count.known
      if (count.value === undefined) return undefined
      count.value++
      return await write(count.value)
    } finally {
      count.under--
      if (count.under === 0) this.#end(id, count)
    }
  }

  #begin (id: number): Count {
    const value = this.#idle.get(id)
    const count: Count = { value, under: 0, known: Promise.resolve() }
    if (value === undefined) count.known = this.#read(id).then((read) => { count.value = read })
    this.#busy.set(id, count)
    return count
  }

  #end (id: number, { value }: Count): void {
    this.#busy.delete(id)
    if (value !== undefined) this.#idle.set(id, value)
  }
}
