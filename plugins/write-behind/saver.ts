import { withResolvers } from '../shared/with-resolvers.js'
import type { WriteBehindOptions } from './api.js'
import type { Write } from './record.js'

export interface SaverOptions {
  save: WriteBehindOptions['save']
  saveMany: WriteBehindOptions['saveMany'] | undefined
  /** Milliseconds. */
  saveTimeout: number
  isOutage: (error: unknown) => boolean
}

/** How a save has ended: `error` is undefined where it went well. */
export interface Outcome {
  readonly error?: Error
  /** Nothing is wrong with the write itself. */
  readonly isOutage: boolean
}

const SAVED: Outcome = { isOutage: false }

/** Calls what saves. */
export class Saver {
  readonly #options: SaverOptions

  constructor (options: SaverOptions) {
    this.#options = options
  }

  /** Never rejects. @returns in the order of the writes */
  async run (writes: readonly Write[], signal: AbortSignal): Promise<Outcome[]> {
    const { saveMany } = this.#options
    if (saveMany === undefined || writes.length === 1) return await this.#each(writes, signal)
    try {
      const result = await this.#timed(signal, (own) => saveMany([...writes], { signal: own }))
      return writes.map((write, index) => this.#outcomeIn(result, write, index))
    } catch (error) {
      // One of them can be what the source does not take: alone, each fails for itself.
      const outcome = this.#outcomeOf(error)
      return outcome.isOutage || signal.aborted ? writes.map(() => outcome) : await this.#each(writes, signal)
    }
  }

  async #each (writes: readonly Write[], signal: AbortSignal): Promise<Outcome[]> {
    return await Promise.all(writes.map(async ({ id, value, version }) => {
      try {
        await this.#timed(signal, (own) => this.#options.save(id, value, { version, signal: own }))
        return SAVED
      } catch (error) {
        return this.#outcomeOf(error)
      }
    }))
  }

  #outcomeIn (result: unknown, { id }: Write, index: number): Outcome {
    const own: unknown = Array.isArray(result) ? result[index] : result instanceof Map ? result.get(id) ?? result.get(typeof id === 'number' ? String(id) : id) : undefined
    return own instanceof Error ? this.#outcomeOf(own) : SAVED
  }

  #outcomeOf (error: unknown): Outcome {
    return { error: error instanceof Error ? error : new Error('the save threw what is no Error', { cause: error }), isOutage: this.#options.isOutage(error) }
  }

  /** What has not heard that its signal has aborted is waited for no longer. */
  async #timed (signal: AbortSignal, work: (signal: AbortSignal) => unknown): Promise<unknown> {
    const { saveTimeout } = this.#options
    const tooLong = new AbortController()
    const timer = setTimeout(() => { tooLong.abort(new DOMException(`The save took longer than ${saveTimeout} ms`, 'TimeoutError')) }, saveTimeout)
    const either = AbortSignal.any([signal, tooLong.signal])
    const { promise: aborted, reject } = withResolvers<never>()
    const onAbort = (): void => { reject(either.reason) }
    either.addEventListener('abort', onAbort)
    try {
      either.throwIfAborted()
      return await Promise.race([work(either), aborted])
    } finally {
      clearTimeout(timer)
      either.removeEventListener('abort', onAbort)
    }
  }
}
