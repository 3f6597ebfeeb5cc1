/** Leave to keep, under a key, what was read or loaded before now: void once the key is invalidated. */
export interface Fence {
  readonly intact: boolean
}

/**
 * Stops a value from being resurrected: whoever reads or loads a value in order to keep it takes a fence first,
 * an invalidation breaks all fences of its key, and nothing is kept behind a broken one.
 */
export class Fences {
  readonly #open = new Map<string, Set<{ intact: boolean }>>()

  async hold<T> (key: string, work: (fence: Fence) => Promise<T>): Promise<T> {
    const fence = { intact: true }
    const ofKey = this.#open.get(key) ?? new Set()
    this.#open.set(key, ofKey.add(fence))
    try {
      return await work(fence)
    } finally {
      ofKey.delete(fence)
      if (ofKey.size === 0 && this.#open.get(key) === ofKey) this.#open.delete(key)
    }
  }

  break (key: string): void {
    for (const fence of this.#open.get(key) ?? []) fence.intact = false
    this.#open.delete(key)
  }

  breakAll (): void {
    for (const key of [...this.#open.keys()]) this.break(key)
  }
}
