import type { Entry } from '../shared/entry.js'
import type { Held, TagGeneration } from '../shared/tier.js'
import type { Dependent, Moment } from './tags.js'

/** A value of this process' memory. */
export class Kept implements Held<Entry>, Dependent {
  readonly value: Entry
  readonly freshUntil: number
  readonly keptUntil: number
  readonly loadTime: number
  readonly tags: readonly TagGeneration[]
  checked: Moment = 0
  #shared: Promise<unknown> | undefined

  /** @param rules what rules the value; its own `value` is of no interest */
  constructor (value: Entry, { freshUntil, keptUntil, loadTime, tags }: Omit<Held<unknown>, 'value'>) {
    this.value = value
    this.freshUntil = freshUntil
    this.keptUntil = keptUntil
    this.loadTime = loadTime
    this.tags = tags
  }

  /** The value, resolved: one promise for all callers where they share the value, since making one is a third of what a hit costs. */
  promise (): Promise<unknown> {
    if (this.#shared !== undefined) return this.#shared
    const promise = Promise.resolve(this.value.value())
    if (this.value.isShared) this.#shared = promise
    return promise
  }
}
