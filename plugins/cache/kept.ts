import type { Held, TagGeneration } from '../shared/tier.js'
import type { Entry } from './entry.js'
import type { Dependent, Moment } from './tags.js'

/** A value of this process' memory. */
export class Kept implements Held<Entry>, Dependent {
  readonly value: Entry
  readonly freshUntil: number
  readonly keptUntil: number
  readonly loadTime: number
  readonly tags: readonly TagGeneration[]
  checked: Moment = 0

  /** @param rules what rules the value; its own `value` is of no interest */
  constructor (value: Entry, { freshUntil, keptUntil, loadTime, tags }: Omit<Held<unknown>, 'value'>) {
    this.value = value
    this.freshUntil = freshUntil
    this.keptUntil = keptUntil
    this.loadTime = loadTime
    this.tags = tags
  }
}
