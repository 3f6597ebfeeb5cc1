import { AsyncLocalStorage } from 'node:async_hooks'
import { ReentryError } from './errors.js'

const storage = new AsyncLocalStorage<LoadRun>()
let running = 0

/**
 * One call of a loader, for one key or for a batch. It goes on for as long as one of those who asked wants its outcome,
 * and never waits, through whatever other loads, for itself.
 */
export class LoadRun {
  #keys: readonly string[]
  #controller: AbortController | undefined
  /** The runs whose outcome this one's loader is waiting for, and how often. */
  #awaited: Map<LoadRun, number> | undefined
  #abortion: { reason: unknown } | undefined
  #interested = 0
  #wantedAnyhow = false
  #abandoned = false
  #ended = false
  /** The run within whose loader this one was begun. */
  readonly #parent: LoadRun | undefined

  constructor (keys: readonly string[]) {
    this.#keys = keys
    const parent = LoadRun.current
    // One that has ended waits for nobody; and held on to, would hold on to its own.
    this.#parent = parent === undefined || parent.#ended ? undefined : parent
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

  /** Whether it was aborted because all who wanted it have given up. */
  get abandoned (): boolean {
    return this.#abandoned
  }

  /** @throws ReentryError when this run, or one within whose loader it was begun, is loading the key */
  refuse (key: string): void {
    const path: string[] = [key]
    for (let run: LoadRun | undefined = this; run !== undefined && !run.#ended; run = run.#parent) {
      path.unshift(run.#keys[0]!)
      if (run.#keys.includes(key)) throw new ReentryError(path.join(' → '))
    }
  }

  /** It is for these only: of the others there was something at hand. */
  narrow (keys: readonly string[]): void {
    this.#keys = keys
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
      this.#ended = true
      // On Node 20 a store in use makes every promise of the process dearer.
      if (--running === 0) storage.disable()
    }
  }

  /** Somebody wants the outcome to the end. */
  wantAnyhow (): void {
    this.#wantedAnyhow = true
  }

  /** Somebody wants the outcome, until it says `wantNoMore`. */
  want (): void {
    this.#interested++
  }

  /** One of those has given up, or has got what it wanted elsewhere. */
  wantNoMore (reason: unknown): void {
    if (--this.#interested > 0 || this.#wantedAnyhow || this.#ended) return
    this.#abandoned = true
    this.abort(reason)
  }

  /**
   * The loader of `waiting` waits for this run.
   *
   * @returns to be called when it no longer does
   * @throws ReentryError when this run waits for that one already
   */
  awaitedBy (waiting: LoadRun | undefined): () => void {
    if (waiting === undefined || waiting.#ended) return nothing
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
  #pathTo (target: LoadRun): LoadRun[] | undefined {
    // No recursion: loads may wait for one another thousands deep.
    const cameFrom = new Map<LoadRun, LoadRun | undefined>([[this, undefined]])
    for (const run of cameFrom.keys()) {
      if (run === target) {
        const path: LoadRun[] = []
        for (let one: LoadRun | undefined = run; one !== undefined; one = cameFrom.get(one)) path.unshift(one)
        return path
      }
      for (const next of run.#awaited?.keys() ?? []) if (!cameFrom.has(next)) cameFrom.set(next, run)
    }
    return undefined
  }
}

function nothing (): void {}
