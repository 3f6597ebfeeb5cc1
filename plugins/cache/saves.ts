import { InOrder } from '../shared/in-order.js'
import { LoadRun } from './load-run.js'

/** Saves of one key, one after the other: which of two at once the source takes last, nobody could say. */
export class Saves {
  readonly #inOrder = new InOrder<void>()
  /** Of each key, the one that was asked for last. */
  readonly #last = new Map<string, LoadRun>()
  readonly #longest: number

  /** @param longest milliseconds after which a save no longer holds up the next one */
  constructor (longest: number) {
    this.#longest = longest
  }

  /** @throws ReentryError when the save before this one waits, through whatever loads and saves, for this one */
  async run<T> (key: string, save: () => Promise<T>): Promise<T> {
    const run = new LoadRun([key])
    const noLongerAwaited = run.awaitedBy(LoadRun.current)
    let noLongerWaiting = (): void => {}
    try {
      noLongerWaiting = this.#last.get(key)?.awaitedBy(run) ?? noLongerWaiting
      this.#last.set(key, run)
      return await this.#afterTheOthers(key, run, save)
    } finally {
      this.#letGo(key, run)
      noLongerWaiting()
      noLongerAwaited()
    }
  }

  async #afterTheOthers<T> (key: string, run: LoadRun, save: () => Promise<T>): Promise<T> {
    return await new Promise((resolve, reject) => {
      void this.#inOrder.run(key, async () => {
        const saving = run.run(save)
        saving.then(resolve, reject)
        await this.#endOf(saving)
        this.#letGo(key, run)
      })
    })
  }

  async #endOf (saving: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const tooLong = setTimeout(resolve, this.#longest).unref()
      const end = (): void => {
        clearTimeout(tooLong)
        resolve()
      }
      saving.then(end, end)
    })
  }

  #letGo (key: string, run: LoadRun): void {
    if (this.#last.get(key) === run) this.#last.delete(key)
  }
}
