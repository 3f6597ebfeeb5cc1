import { LRUCache } from 'lru-cache'
import type { Held, Tier } from './tier.js'

export interface MemoryTierOptions<Value> {
  /** The most bytes that the values may take; the least recently used go first. */
  maxBytes: number
  /** Bytes that a value takes on the heap, about. */
  sizeOf: (value: Value) => number
  /** Wall clock, milliseconds. */
  now: () => number
}

/** Values of this process, bounded in bytes. */
export class MemoryTier<Value> implements Tier<Value> {
  readonly #entries: LRUCache<string, Held<Value>>
  readonly #sizeOf: (value: Value) => number
  readonly #now: () => number

  constructor ({ maxBytes, sizeOf, now }: MemoryTierOptions<Value>) {
    this.#entries = new LRUCache({ maxSize: maxBytes })
    this.#sizeOf = sizeOf
    this.#now = now
  }

  /** @param now what the clock says, where the caller has just looked */
  get (key: string, now = this.#now()): Held<Value> | undefined {
    const held = this.#entries.get(key)
    if (held === undefined || held.keptUntil > now) return held
    this.#entries.delete(key)
    return undefined
  }

  set (key: string, held: Held<Value>): void {
    if (held.keptUntil <= this.#now()) return this.delete(key)
    // Two bytes a character, and what an entry costs by itself, so that many small values are bounded too.
    const tags = held.tags.reduce((size, { tag }) => size + 2 * tag.length + TAG_OVERHEAD, 0)
    this.#entries.set(key, held, { size: Math.ceil(this.#sizeOf(held.value)) + 2 * key.length + tags + ENTRY_OVERHEAD })
  }

  delete (key: string): void {
    this.#entries.delete(key)
  }

  clear (): void {
    this.#entries.clear()
  }

  get bytes (): number {
    return this.#entries.calculatedSize
  }

  get size (): number {
    return this.#entries.size
  }
}

/** Measured: lru-cache's arrays, the Map's slot, the entry's two objects. */
const ENTRY_OVERHEAD = 200

/** The pair, its generation, and what a string takes beside its characters. */
const TAG_OVERHEAD = 120
