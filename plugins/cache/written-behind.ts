import type { CreateWriteBehind, Write, WriteBehind } from '../write-behind/index.js'
import type { Id, LoadContext, ResourceOptions } from './api.js'
import type { Loaded, Loader } from './loader-calls.js'

/** Values that wait in a queue before they come to the source: until then, the queue has what is newest. */
export class WrittenBehind<T, I extends Id> {
  readonly queue: WriteBehind<T, I>

  /** @param forget a value that will not come to the source is not to be given out as if it had */
  constructor (name: string, { save, queue }: ResourceOptions<T, I> & { write: 'behind' }, create: CreateWriteBehind, forget: (id: I) => unknown) {
    this.queue = create<T, I>(name, {
      ...queue,
      save,
      async onDead (letter) {
        try {
          await forget(letter.id)
        } finally {
          await queue?.onDead?.(letter)
        }
      }
    })
  }

  async save (id: I, value: T): Promise<void> {
    await this.queue.set(id, value)
  }

  /** Loads what waits from the queue, and only the rest from the source. */
  first (idOf: (key: string) => I, loader: Loader, isMissing: (value: unknown) => boolean): Loader {
    return async (keys, context) => {
      const waiting = await this.#waiting(keys.map(idOf))
      const others = keys.filter((_key, index) => waiting?.[index] === undefined)
      const loaded = others.length === 0 ? [] : await loader(others, context)
      // Where Redis was away, something newer may have been saved without it.
      if (waiting === undefined || others.length < keys.length) keepNothing(context)
      let next = 0
      return keys.map((_key, index): Loaded => {
        const write = waiting?.[index]
        return write === undefined ? loaded[next++]! : { value: write.value, missing: isMissing(write.value) }
      })
    }
  }

  /** @returns undefined where the queue cannot be asked */
  async #waiting (ids: I[]): Promise<ReadonlyArray<Write<T, I> | undefined> | undefined> {
    try {
      return await this.queue.pendingMany(ids)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'FST_HEADROOM_WRITE_BEHIND_UNAVAILABLE') throw error
      return undefined
    }
  }
}

/** It may be older than what the source has, or what waits: what was set is kept by `set`. */
function keepNothing (context: LoadContext): void {
  context.ttl(0)
}
