import { withResolvers } from '../shared/with-resolvers.js'

/** One piece of work. Its signal aborts when nobody needs it any more. */
export type Branch = (signal: AbortSignal) => unknown

export type Branches = Readonly<Record<string, Branch>>

export interface BranchesSettings {
  /** Milliseconds; undefined: as long as it takes. */
  deadline: number | undefined
  /** So many at once. */
  concurrency: number
  /** Whether one that fails is a result like any other. */
  settle: boolean
  /** Of who waits for the results: all end when one aborts. */
  signals: readonly AbortSignal[]
  /** What is told of those that are late: with `settle` it is their result, else that of all. */
  lateError (names: string[]): Error
  /** Runs one. */
  run (name: string, work: () => unknown): unknown
}

/** One call's branches. */
export class BranchesRun {
  readonly #settings: BranchesSettings
  readonly #waiting: IterableIterator<[string, Branch]>
  readonly #results = new Map<string, PromiseSettledResult<unknown> | undefined>()
  readonly #controller = new AbortController()
  readonly #outcome = withResolvers<Map<string, PromiseSettledResult<unknown>>>()
  #left: number
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor (branches: Branches, settings: BranchesSettings) {
    const entries = Object.entries(branches)
    this.#settings = settings
    this.#waiting = entries.values()
    this.#left = entries.length
    // In the order in which they were named, whichever is first.
    for (const [name] of entries) this.#results.set(name, undefined)
  }

  /**
   * @returns what each has come to, in the order given; all are fulfilled, without `settle`
   * @throws without `settle` the first error; the reason of a signal; the deadline's error
   */
  async results (): Promise<Map<string, PromiseSettledResult<unknown>>> {
    const { signals, deadline, concurrency } = this.#settings
    for (const signal of signals) signal.throwIfAborted()
    const give = signals.map((signal) => {
      const giveUp = (): void => { this.#fail(signal.reason) }
      signal.addEventListener('abort', giveUp)
      return () => { signal.removeEventListener('abort', giveUp) }
    })
    // After the event loop was blocked an answer may lie in its socket, unread: it is read before the next immediate.
    if (deadline !== undefined) this.#timer = setTimeout(() => { setImmediate(() => { this.#expire() }) }, deadline)
    if (this.#left === 0) this.#end()
    for (let running = 0; running < concurrency && this.#startNext(); running++);
    try {
      return await this.#outcome.promise
    } finally {
      clearTimeout(this.#timer)
      for (const remove of give) remove()
    }
  }

  /** @returns whether there was one */
  #startNext (): boolean {
    const next = this.#isOver ? undefined : this.#waiting.next()
    if (next === undefined || next.done === true) return false
    const [name, branch] = next.value
    // What it throws before it returns a promise is its rejection as well.
    new Promise((resolve) => { resolve(this.#settings.run(name, () => branch(this.#controller.signal))) }).then(
      (value) => { this.#settled(name, { status: 'fulfilled', value }) },
      (reason: unknown) => { this.#settled(name, { status: 'rejected', reason }) }
    )
    return true
  }

  #settled (name: string, result: PromiseSettledResult<unknown>): void {
    if (this.#isOver) return
    if (result.status === 'rejected' && !this.#settings.settle) {
      this.#fail(result.reason)
      return
    }
    this.#results.set(name, result)
    if (--this.#left === 0) this.#end()
    else this.#startNext()
  }

  #expire (): void {
    if (this.#isOver) return
    const late = [...this.#results].filter(([, result]) => result === undefined).map(([name]) => name)
    const error = this.#settings.lateError(late)
    if (!this.#settings.settle) {
      this.#fail(error)
      return
    }
    for (const name of late) this.#results.set(name, { status: 'rejected', reason: error })
    this.#end()
    this.#controller.abort(error)
  }

  #fail (error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#outcome.reject(error)
    this.#controller.abort(error)
  }

  #end (): void {
    this.#isOver = true
    this.#outcome.resolve(this.#results as Map<string, PromiseSettledResult<unknown>>)
  }
}
