import type { CreateWriteBehind, Write, WriteBehind } from '../write-behind/index.js'
import type { Id, LoadContext, ResourceOptions } from './api.js'
import type { Loaded, Loader } from './loader-calls.js'

/** Values that wait in a queue before they come to the source: until then, the queue has what is newest. */
export class WrittenBehind<T, I extends Id> {
  readonly #queue: WriteBehind<T, I>

  /** @param forget a value that will not come to the source is not to be given out as if it had */
  constructor (name: string, { save, queue }: ResourceOptions<T, I> & { write: 'behind' }, create: CreateWriteBehind, forget: (id: I) => unknown) {
    this.#queue = create<T, I>(name, {
      ...queue,
      save,
      async onDead (letter) {
        await forget(letter.id)
        await queue?.onDead?.(letter)
      }
    })
  }

  async save (id: I, value: T): Promise<void> {
    await this.#queue.set(id, value)
  }

  /** Loads what waits from the queue, and only the rest from the source. */
  first (idOf: (key: string) => I, loader: Loader, isMissing: (value: unknown) => boolean): Loader {
    return async (keys, context) => {
      const waiting = await this.#waiting(keys.map(idOf))
      const others = keys.filter((_key, index) => waiting?.[index] === undefined)
      const loaded = others.length === 0 ? [] : await loader(others, context)
      if (waiting === undefined) keepNothing(context)
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
      return await this.#queue.pendingMany(ids)
    } catch {
      return undefined
    }
  }
}

/** What is in the source can be older than what waits. */
function keepNothing (context: LoadContext): void {
  context.ttl(0)
}
