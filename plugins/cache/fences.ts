/** Leave to keep, under a key, what was read, loaded or given before now: void once the key is invalidated. */
export interface Fence {
  readonly intact: boolean
}

type Holder = 'read' | 'write'

/**
 * Stops a value from being resurrected: whoever has a value to keep takes a fence before it asks for it, an
 * invalidation breaks the fences of its key, and nothing is kept behind a broken one.
 */
export class Fences {
  readonly #open = new Map<string, Map<{ intact: boolean }, Holder>>()

  /** Holds a fence while `work` is under way. */
  async hold<T> (key: string, holder: Holder, work: (fence: Fence) => Promise<T>): Promise<T> {
    const fence = { intact: true }
    const ofKey = this.#open.get(key) ?? new Map<{ intact: boolean }, Holder>()
    this.#open.set(key, ofKey.set(fence, holder))
    try {
      return await work(fence)
    } finally {
      ofKey.delete(fence)
      if (ofKey.size === 0 && this.#open.get(key) === ofKey) this.#open.delete(key)
    }
  }

  /** Something newer has come: whatever began before is void. */
  break (key: string): void {
    for (const fence of this.#open.get(key)?.keys() ?? []) fence.intact = false
    this.#open.delete(key)
  }

  /** Only what was read, and so may be old. A write that began since brings something newer still. */
  breakReads (key: string): void {
    for (const [fence, holder] of this.#open.get(key) ?? []) {
      if (holder === 'read') fence.intact = false
    }
  }

  breakAll (): void {
    for (const key of [...this.#open.keys()]) this.break(key)
  }
}
