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
  /** Those of them that loaders have been called for, and have not given yet. */
  #loading: readonly string[] = []
  #controller: AbortController | undefined
  /** The runs whose outcome this one's loader is waiting for, and how often. */
  #awaited: Map<LoadRun, number> | undefined
  #abortion: { reason: unknown } | undefined
  #interested = 0
  #wantedAnyhow = false
  #abandoned = false
  #begun = false
  /** Loaders that run, and parts of a batch that wait for their turn. */
  #underWay = 0
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

  /** Whether it was begun within a loader, which may be waiting for it. */
  get isNested (): boolean {
    return this.#parent !== undefined
  }

  /** @throws ReentryError when this run, or one within whose loader it was begun, is loading the key */
  refuse (key: string): void {
    const error = this.#reentry(key)
    if (error !== undefined) throw error
  }

  /** Why nobody here can wait for the key: a run within whose loader this one was begun is loading it. Undefined where none is. */
  reentryWithin (key: string): Error | undefined {
    return this.#parent === undefined ? undefined : this.#parent.#reentry(key)
  }

  /** A part of it waits for its turn. @returns to be called once, when it no longer does */
  hold (): () => void {
    this.#underWay++
    return () => { this.#underWay-- }
  }

  abort (reason: unknown): void {
    this.#abortion ??= { reason }
    this.#controller?.abort(reason)
  }

  /** @param keys that it loads now: of a batch perhaps a part, and more than once */
  async run<T> (load: () => Promise<T>, keys: readonly string[] = this.#keys): Promise<T> {
    running++
    this.#begun = true
    this.#underWay++
    this.#loading = [...this.#loading, ...keys]
    try {
      return await storage.run(this, load)
    } finally {
      this.#underWay--
      const ended = new Set(keys)
      this.#loading = this.#loading.filter((key) => !ended.has(key))
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
    if (path !== undefined) throw new ReentryError([waiting, ...path].map((run) => run.#name).join(' → '))
    const awaited = waiting.#awaited ??= new Map()
    awaited.set(this, (awaited.get(this) ?? 0) + 1)
    return () => {
      const left = awaited.get(this)! - 1
      if (left === 0) awaited.delete(this)
      else awaited.set(this, left)
    }
  }

  #reentry (key: string): Error | undefined {
    const path: string[] = [key]
    for (let run: LoadRun | undefined = this; run !== undefined && !run.#ended; run = run.#parent) {
      path.unshift(run.#name)
      if ((run.#begun ? run.#loading : run.#keys).includes(key)) return new ReentryError(path.join(' → '))
    }
    return undefined
  }

  get #ended (): boolean {
    return this.#begun && this.#underWay === 0
  }

  get #name (): string {
    return this.#loading[0] ?? this.#keys[0]!
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
