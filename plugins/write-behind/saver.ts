import { setMaxListeners } from 'node:events'
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
  /** It was not begun, or told to end: it says nothing. */
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

  /**
   * Never rejects.
   *
   * @param isAlone whether a write is to be saved for itself: what it was saved with the last time could be what the source fails of
   * @param mayBegin asked before each call
   * @returns in the order of the writes
   */
  async run (writes: readonly Write[], signal: AbortSignal, isAlone: (index: number) => boolean = () => false, mayBegin = (): boolean => true): Promise<Outcome[]> {
    const together = [...writes.keys()].filter((index) => !isAlone(index))
    const alone = [...writes.keys()].filter(isAlone)
    const outcomes: Outcome[] = new Array(writes.length)
    const put = (indexes: readonly number[], some: readonly Outcome[]): void => { indexes.forEach((index, place) => { outcomes[index] = some[place]! }) }
    const those = (indexes: readonly number[]): Write[] => indexes.map((index) => writes[index]!)
    await Promise.all([
      this.#together(those(together), signal, mayBegin).then((some) => { put(together, some) }),
      this.#each(those(alone), signal).then((some) => { put(alone, some) })
    ])
    // The source is there: others were saved just now.
    const isThere = outcomes.some(({ kind }) => kind === 'saved')
    return outcomes.map((outcome) => outcome.kind === 'outage' && isThere ? { kind: 'failed', error: outcome.error } : outcome)
  }

  async #together (writes: readonly Write[], signal: AbortSignal, mayBegin: () => boolean): Promise<Outcome[]> {
    const { saveMany } = this.#options
    if (saveMany === undefined || writes.length < 2) return await this.#each(writes, signal)
    let outcomes: Outcome[] = []
    const attempt = new Attempt(signal, this.#options.saveTimeout)
    const whole = await this.#outcomeOf(attempt, async () => {
      const result = await saveMany(writes.map((write) => ({ ...write })), { signal: attempt.signal })
      outcomes = writes.map((write, index) => this.#outcomeIn(result, write, index))
    })
    attempt.end()
    if (whole.kind === 'saved') return outcomes
    if (whole.kind !== 'failed') return writes.map(() => whole)
    // One of them can be what the source does not take: alone, each fails for itself.
    return mayBegin() ? await this.#each(writes, signal) : writes.map(() => PUT_OFF)
  }

  async #each (writes: readonly Write[], signal: AbortSignal): Promise<Outcome[]> {
    if (writes.length === 0) return []
    const attempt = new Attempt(signal, this.#options.saveTimeout)
    const outcomes = await Promise.all(writes.map(async ({ id, value, version }) =>
      await this.#outcomeOf(attempt, async () => await this.#options.save(id, value, { version, signal: attempt.signal }))))
    attempt.end()
    return outcomes
  }

  /** Of one of several: what the user's function has for it, as an array or a Map by id. */
  #outcomeIn (result: unknown, { id }: Write, index: number): Outcome {
    const own: unknown = Array.isArray(result) ? result[index] : result instanceof Map ? result.get(id) ?? result.get(typeof id === 'number' ? String(id) : id) : undefined
    // What Promise.allSettled gives would else say that all went well.
    const { status, reason } = (own ?? {}) as { status?: unknown, reason?: unknown }
    return own instanceof Error ? this.#failed(own) : status === 'rejected' ? this.#failed(reason) : SAVED
  }

  #failed (thrown: unknown): Outcome {
    const error = thrown instanceof Error ? thrown : new Error('the save threw what is no Error', { cause: thrown })
    return { kind: this.#options.isOutage(thrown) ? 'outage' : 'failed', error }
  }

  /** What has not heard that its signal has aborted is waited for no longer. */
  async #outcomeOf (attempt: Attempt, work: () => Promise<unknown>): Promise<Outcome> {
    try {
      attempt.signal.throwIfAborted()
      await Promise.race([work(), attempt.aborted])
      this.#lastSaved = performance.now()
      return SAVED
    } catch (error) {
      if (attempt.wasToldToEnd) return PUT_OFF
      const { timeout, began } = attempt
      return timeout !== undefined && error === timeout && this.#lastSaved < began ? { kind: 'outage', error: timeout } : this.#failed(error)
    }
  }
}

/** Saves that are begun together, and so end together when they take too long, or are told to. */
class Attempt {
  readonly began = performance.now()
  /** Never resolves. */
  readonly aborted: Promise<never>
  /** Why it has aborted, when it took too long. */
  timeout: DOMException | undefined
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal
  readonly #timer: NodeJS.Timeout
  readonly #onEnd = (): void => { this.#controller.abort(this.#outer.reason) }

  constructor (outer: AbortSignal, saveTimeout: number) {
    this.#outer = outer
    // Each save may listen to it.
    setMaxListeners(0, this.signal)
    const { promise, reject } = withResolvers<never>()
    this.aborted = promise
    promise.catch(() => {})
    this.signal.addEventListener('abort', () => { reject(this.signal.reason) })
    this.#timer = setTimeout(() => {
      this.timeout = new DOMException(`The save took longer than ${saveTimeout} ms`, 'TimeoutError')
      this.#controller.abort(this.timeout)
    }, saveTimeout)
    outer.addEventListener('abort', this.#onEnd)
    if (outer.aborted) this.#onEnd()
  }

  get signal (): AbortSignal {
    return this.#controller.signal
  }

  get wasToldToEnd (): boolean {
    return this.#outer.aborted
  }

  end (): void {
    clearTimeout(this.#timer)
    this.#outer.removeEventListener('abort', this.#onEnd)
  }
}
