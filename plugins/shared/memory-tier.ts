import { LRUCache } from 'lru-cache'

export interface MemoryTierOptions {
  /** The most bytes that the values may take; the least recently used go first. */
  maxBytes: number
  /** Wall clock, milliseconds. */
  now: () => number
}

interface Kept<Value> {
  readonly value: Value
  /** Wall-clock milliseconds from which the entry is no longer given out. */
  readonly expiresAt: number
}

/** Values of this process, bounded in bytes. */
export class MemoryTier<Value> {
  readonly #entries: LRUCache<string, Kept<Value>>
  readonly #now: () => number

  constructor ({ maxBytes, now }: MemoryTierOptions) {
    this.#entries = new LRUCache({ maxSize: maxBytes })
    this.#now = now
  }

  get (key: string): Value | undefined {
    const kept = this.#entries.get(key)
    if (kept === undefined) return undefined
    if (kept.expiresAt > this.#now()) return kept.value
    this.#entries.delete(key)
    return undefined
  }

  /** @param bytes the value's size; one larger than the whole tier is not kept */
  set (key: string, value: Value, bytes: number, expiresAt: number): void {
    // Two bytes a character, and the map's own cost an entry, so that many small values are bounded too.
    this.#entries.set(key, { value, expiresAt }, { size: bytes + 2 * key.length + ENTRY_OVERHEAD })
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
