import type { Duration } from '../shared/units.js'
import type { LoadContext } from './api.js'
import type { LoadRun } from './load-run.js'
import { checkTag, loadedTtl } from './settings.js'

/** What a loader is given, and what it says through it. */
export class OwnLoadContext implements LoadContext {
  readonly stale: unknown
  readonly #run: LoadRun
  readonly #tags = new Set<string>()
  #ttl: number | undefined

  constructor (run: LoadRun, stale: unknown) {
    this.#run = run
    this.stale = stale
  }

  get signal (): AbortSignal {
    return this.#run.signal
  }

  // Fields, because loaders take the context apart.
  readonly ttl = (duration: Duration): void => { this.#ttl = loadedTtl(duration) }

  readonly tags = (...tags: string[]): void => {
    tags.forEach(checkTag)
    for (const tag of tags) this.#tags.add(tag)
  }

  /** Milliseconds; undefined where the loader said none. */
  get ownTtl (): number | undefined {
    return this.#ttl
  }

  /** The loader's tags that the call had not named. */
  tagsBeyond (named: readonly string[]): string[] {
    return [...this.#tags].filter((tag) => !named.includes(tag))
  }
}
