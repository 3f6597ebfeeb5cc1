/** The state of a tag when a value that depends on it was made: it changes with every invalidation of the tag. */
export interface TagGeneration {
  readonly tag: string
  /** Random; of which only equality says something. */
  readonly generation: string
}

/** A value, with what rules how long it may be given out. */
export interface Held<Value> {
  readonly value: Value
  /** Wall-clock milliseconds until which the value is fresh. */
  readonly freshUntil: number
  /** Wall-clock milliseconds until which it is kept for those who accept it stale; not before `freshUntil`. */
  readonly keptUntil: number
  /** Milliseconds that its load took; 0 when it was not loaded. */
  readonly loadTime: number
  /** What the value depends on. It is void as soon as one of them has another generation. */
  readonly tags: readonly TagGeneration[]
}

/**
 * A place where values stand under keys, each until its `keptUntil`, at the latest. The memory tier answers at once, the
 * Redis tier with promises that settle in bounded time.
 */
export interface Tier<Value> {
  /** @returns what is kept, fresh or stale; `undefined` for what was never kept, is over, was deleted, or made room */
  get (key: string): Held<Value> | undefined | Promise<Held<Value> | undefined>
  /** Keeps this, whatever stood there. What is over already, or too large, only removes that. */
  set (key: string, held: Held<Value>): void | Promise<void>
  delete (key: string): void | Promise<unknown>
}
