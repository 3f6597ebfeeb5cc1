import { withResolvers, type Resolvers } from './with-resolvers.js'

/** @param waited whether it had to wait for other work of its key */
type Work<T> = (waited: boolean) => Promise<T>

interface Waiting<T> {
  work: Work<T>
  readonly overwrites: boolean
  /** Those who asked for this, or for what it has come in the place of. */
  readonly asked: Array<Resolvers<T>>
}

/** Runs the work of each key one after the other, in the order it was asked for. */
export class InOrder<T> {
  /** What has not begun, of the keys of which something is under way. */
  readonly #waiting = new Map<string, Array<Waiting<T>>>()

  /** Whether something of the key is under way. */
  isBusy (key: string): boolean {
    return this.#waiting.has(key)
  }

  /**
   * @param overwrites whether nothing is left of what such work before it has done: then that is not begun any more, and has
   *   the same outcome, so that the wait does not grow with how much is asked for
   */
  async run (key: string, work: Work<T>, overwrites = false): Promise<T> {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) {
      this.#waiting.set(key, [])
      try {
        return await work(false)
      } finally {
        this.#next(key)
      }
    }
    const own = withResolvers<T>()
    const last = waiting.at(-1)
    if (overwrites && last?.overwrites === true) {
      last.work = work
      last.asked.push(own)
    } else waiting.push({ work, overwrites, asked: [own] })
    return await own.promise
  }

  #next (key: string): void {
    const next = this.#waiting.get(key)!.shift()
    if (next === undefined) {
      this.#waiting.delete(key)
      return
    }
    next.work(true).then(
      (result) => { for (const { resolve } of next.asked) resolve(result) },
      (error: unknown) => { for (const { reject } of next.asked) reject(error) }
    ).finally(() => { this.#next(key) })
  }
}
