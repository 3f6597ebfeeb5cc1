/**
 * Leave to keep, under a key, what was read, loaded or given before now.
 * - `intact`: to be kept
 * - `gap`: messages may have been missed since; only who knows better may keep it
 * - `broken`: the key was invalidated; not to be kept anywhere
 */
export interface Fence {
  readonly state: 'intact' | 'gap' | 'broken'
}

type OpenFence = { -readonly [Key in keyof Fence]: Fence[Key] }

type Holder = 'read' | 'write'

/**
 * Stops a value from being resurrected: whoever has a value to keep takes a fence before it asks for it, an
 * invalidation breaks the fences of its key, and nothing is kept behind a broken one.
 */
export class Fences {
  readonly #open = new Map<string, Map<OpenFence, Holder>>()

  /** Holds a fence while `work` is under way. */
  async hold<T> (key: string, holder: Holder, work: (fence: Fence) => Promise<T>): Promise<T> {
    const fence: OpenFence = { state: 'intact' }
    const ofKey = this.#open.get(key) ?? new Map<OpenFence, Holder>()
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
    for (const fence of this.#open.get(key)?.keys() ?? []) fence.state = 'broken'
    this.#open.delete(key)
  }

  /** Only what was read, and so may be old. A write that began since brings something newer still. */
  breakReads (key: string): void {
    for (const [fence, holder] of this.#open.get(key) ?? []) {
      if (holder === 'read') fence.state = 'broken'
    }
  }

  /** Any key may have been invalidated unheard. */
  gap (): void {
    for (const ofKey of this.#open.values()) {
      for (const fence of ofKey.keys()) if (fence.state === 'intact') fence.state = 'gap'
    }
  }
}
