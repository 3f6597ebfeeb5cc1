import { LoadRun } from './load-run.js'

interface Save {
  readonly run: LoadRun
  readonly ended: Promise<unknown>
}

/** Saves of one key, one after the other: which of two at once the source takes last, nobody could say. */
export class Saves {
  readonly #last = new Map<string, Save>()

  /** @throws ReentryError when the save before this one waits, through whatever loads and saves, for this one */
  async run<T> (key: string, save: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key)
    const run = new LoadRun([key])
    const noLongerAwaited = run.awaitedBy(LoadRun.current)
    let noLongerWaiting = (): void => {}
    try {
      noLongerWaiting = before?.run.awaitedBy(run) ?? noLongerWaiting
      const work = (): Promise<T> => run.run(save)
      const ended = before === undefined ? work() : before.ended.then(work, work)
      const own = { run, ended }
      this.#last.set(key, own)
      try {
        return await ended
      } finally {
        if (this.#last.get(key) === own) this.#last.delete(key)
      }
    } finally {
      noLongerWaiting()
      noLongerAwaited()
    }
  }
}
