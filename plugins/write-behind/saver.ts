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

/** How a save has ended. */
export type Outcome =
  | { readonly kind: 'saved' }
  | { readonly kind: 'failed', readonly error: Error }
  /** Nothing is wrong with the write itself. */
  | { readonly kind: 'outage', readonly error: Error }
  /** It was not begun. */
  | { readonly kind: 'put off' }

const SAVED: Outcome = { kind: 'saved' }
const PUT_OFF: Outcome = { kind: 'put off' }

/**
 * Calls what saves. A save that takes too long says nothing of its write where nothing else was saved meanwhile: then it is the source
 * that hangs.
 */
export class Saver {
  readonly #options: SaverOptions
  /** On the clock of `performance.now`. */
  #lastSaved = -Infinity

  constructor (options: SaverOptions) {
    this.#options = options
  }

  /** Never rejects. @param mayBegin asked before each call @returns in the order of the writes */
  async run (writes: readonly Write[], signal: AbortSignal, mayBegin = (): boolean => true): Promise<Outcome[]> {
    const { saveMany } = this.#options
    if (saveMany === undefined || writes.length === 1) return await this.#each(writes, signal)
    let outcomes: Outcome[] = []
    const whole = await this.#outcomeOf(signal, async (own) => {
      const result = await saveMany([...writes], { signal: own })
      outcomes = writes.map((write, index) => this.#outcomeIn(result, write, index))
    })
    if (whole.kind === 'saved') return outcomes
    if (whole.kind === 'outage' || signal.aborted) return writes.map(() => whole)
    // One of them can be what the source does not take: alone, each fails for itself.
    return mayBegin() ? await this.#each(writes, signal) : writes.map(() => PUT_OFF)
  }

  async #each (writes: readonly Write[], signal: AbortSignal): Promise<Outcome[]> {
    return await Promise.all(writes.map(async ({ id, value, version }) =>
      await this.#outcomeOf(signal, async (own) => await this.#options.save(id, value, { version, signal: own }))))
  }

  /** Of one of several: what the user's function has for it, as an array or a Map by id. */
  #outcomeIn (result: unknown, { id }: Write, index: number): Outcome {
    const own: unknown = Array.isArray(result) ? result[index] : result instanceof Map ? result.get(id) ?? result.get(typeof id === 'number' ? String(id) : id) : undefined
    return own instanceof Error ? this.#failed(own) : SAVED
  }

  #failed (thrown: unknown): Outcome {
    const error = thrown instanceof Error ? thrown : new Error('the save threw what is no Error', { cause: thrown })
    return { kind: this.#options.isOutage(thrown) ? 'outage' : 'failed', error }
  }

  /** What has not heard that its signal has aborted is waited for no longer. */
  async #outcomeOf (signal: AbortSignal, work: (signal: AbortSignal) => Promise<unknown>): Promise<Outcome> {
    const { saveTimeout } = this.#options
    const began = performance.now()
    const tooLong = new AbortController()
    const timeout = new DOMException(`The save took longer than ${saveTimeout} ms`, 'TimeoutError')
    const timer = setTimeout(() => { tooLong.abort(timeout) }, saveTimeout)
    const either = AbortSignal.any([signal, tooLong.signal])
    const { promise: aborted, reject } = withResolvers<never>()
    const onAbort = (): void => { reject(either.reason) }
    either.addEventListener('abort', onAbort)
    try {
      either.throwIfAborted()
      await Promise.race([work(either), aborted])
      this.#lastSaved = performance.now()
      return SAVED
    } catch (error) {
      return error === timeout && this.#lastSaved < began ? { kind: 'outage', error: timeout } : this.#failed(error)
    } finally {
      clearTimeout(timer)
      either.removeEventListener('abort', onAbort)
    }
  }
}
