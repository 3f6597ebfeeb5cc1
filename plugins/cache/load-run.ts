import { AsyncLocalStorage } from 'node:async_hooks'
import { ReentryError } from './errors.js'

const storage = new AsyncLocalStorage<LoadRun>()
let running = 0

/**
 * One call of a loader, for one key or for a batch. It goes on for as long as one of those who asked wants its outcome,
 * and never waits, through whatever other loads, for itself.
 */
export class LoadRun {
  readonly #keys: readonly string[]
  #controller: AbortController | undefined
  /** The runs whose outcome this one's loader is waiting for, and how often. */
  #awaited: Map<LoadRun, number> | undefined
  #abortion: { reason: unknown } | undefined
  #interested = 0
  #wantedAnyhow = false

  constructor (keys: readonly string[]) {
    this.#keys = keys
  }

  /** The run whose loader is calling, if one is. */
  static get current (): LoadRun | undefined {
    return running === 0 ? undefined : storage.getStore()
  }

  /** For the loader: nobody wants its outcome any more, or it has taken longer than the longest load. */
  get signal (): AbortSignal {
    // Made when a loader asks for it: one that is found in Redis, or takes no notice, costs none.
    this.#controller ??= new AbortController()
    if (this.#abortion !== undefined) this.#controller.abort(this.#abortion.reason)
    return this.#controller.signal
  }

  get aborted (): boolean {
    return this.#abortion !== undefined
  }

  abort (reason: unknown): void {
    this.#abortion ??= { reason }
    this.#controller?.abort(reason)
  }

  async run<T> (load: () => Promise<T>): Promise<T> {
    running++
    try {
      return await storage.run(this, load)
    } finally {
      // On Node 20 a store in use makes every promise of the process dearer.
      if (--running === 0) storage.disable()
    }
  }

  /**
   * Somebody wants the outcome; without a signal, to the end.
   *
   * @returns to be called when whoever it was has given up, by its signal
   */
  want (signal: AbortSignal | undefined): (reason: unknown) => void {
    if (signal === undefined) {
      this.#wantedAnyhow = true
      return nothing
    }
    this.#interested++
    return (reason) => {
      if (--this.#interested === 0 && !this.#wantedAnyhow) this.abort(reason)
    }
  }

  /**
   * The loader of `waiting` waits for this run.
   *
   * @returns to be called when it no longer does
   * @throws ReentryError when this run waits for that one already
   */
  awaitedBy (waiting: LoadRun | undefined): () => void {
    if (waiting === undefined) return nothing
    const path = this.#pathTo(waiting)
    if (path !== undefined) throw new ReentryError([waiting, ...path].map((run) => run.#keys[0]).join(' → '))
    const awaited = waiting.#awaited ??= new Map()
    awaited.set(this, (awaited.get(this) ?? 0) + 1)
    return () => {
      const left = awaited.get(this)! - 1
      if (left === 0) awaited.delete(this)
      else awaited.set(this, left)
    }
  }

  /** The runs from this one to `target`, each waiting for the next; undefined where there are none such. */
  #pathTo (target: LoadRun, seen = new Set<LoadRun>()): LoadRun[] | undefined {
    if (this === target) return [this]
    seen.add(this)
    for (const next of this.#awaited?.keys() ?? []) {
      const path = seen.has(next) ? undefined : next.#pathTo(target, seen)
      if (path !== undefined) return [this, ...path]
    }
    return undefined
  }
}

function nothing (): void {}
