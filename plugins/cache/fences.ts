/**
 * Leave to keep, under a key, what was read, loaded or given before now.
 * - `intact`: to be kept
 * - `gap`: messages may have been missed since; only who knows better may keep it
 * - `late`: it took longer than the longest load; not to be kept anywhere
 * - `overtaken`: something newer is on its way; not to be kept anywhere
 * - `broken`: something newer has come; not to be kept anywhere, and what was kept before is outdated
 */
export interface Fence {
  readonly key: string
  readonly holder: 'read' | 'write'
  readonly state: 'intact' | 'gap' | 'late' | 'overtaken' | 'broken'
}

type OpenFence = { -readonly [Key in keyof Fence]: Fence[Key] }

/**
 * Stops a value from being resurrected: whoever has a value to keep takes a fence before it asks for it, an
 * invalidation breaks the fences of its key, and nothing is kept behind a broken one.
 */
export class Fences {
  /** A set only where there are several: mostly there is one. */
  readonly #open = new Map<string, OpenFence | Set<OpenFence>>()

  /** To be closed by `close`. */
  open (key: string, holder: Fence['holder']): Fence {
    const fence: OpenFence = { key, holder, state: 'intact' }
    const others = this.#open.get(key)
    if (others === undefined) this.#open.set(key, fence)
    else if (others instanceof Set) others.add(fence)
    else this.#open.set(key, new Set([others, fence]))
    return fence
  }

  close (fence: Fence): void {
    const standing = this.#open.get(fence.key)
    if (standing === fence) this.#open.delete(fence.key)
    else if (standing instanceof Set && standing.delete(fence) && standing.size === 0) this.#open.delete(fence.key)
  }

  /** It has taken too long. */
  late (fence: Fence): void {
    if (fence.state !== 'broken' && fence.state !== 'overtaken') (fence as OpenFence).state = 'late'
    this.close(fence)
  }

  /** Holds a fence while `work` is under way. */
  async hold<T> (key: string, holder: Fence['holder'], work: (fence: Fence) => Promise<T>): Promise<T> {
    const fence = this.open(key, holder)
    try {
      return await work(fence)
    } finally {
      this.close(fence)
    }
  }

  /** Something newer has come: whatever began before is void. */
  break (key: string): void {
    for (const fence of this.#of(key)) fence.state = 'broken'
    this.#open.delete(key)
  }

  breakAll (): void {
    for (const key of this.#open.keys()) this.break(key)
  }

  /** A newer value is being fetched: what is on its way is not to be kept, but what was kept before is no worse for it. */
  overtake (key: string): void {
    for (const fence of this.#of(key)) if (fence.holder === 'read' && fence.state !== 'broken') fence.state = 'overtaken'
  }

  /** Only what was read, and so may be old. A write that began since brings something newer still. @param but is not broken */
  breakReads (key: string, but?: Fence): void {
    for (const fence of this.#of(key)) if (fence.holder === 'read' && fence !== but) fence.state = 'broken'
  }

  /** Any key may have been invalidated unheard. */
  gap (): void {
    for (const key of this.#open.keys()) {
      for (const fence of this.#of(key)) if (fence.state === 'intact') fence.state = 'gap'
    }
  }

  #of (key: string): Iterable<OpenFence> {
    const standing = this.#open.get(key)
    if (standing === undefined) return []
    return standing instanceof Set ? standing : [standing]
  }
}
