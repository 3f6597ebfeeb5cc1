import type { Entry } from '../shared/entry.js'
import { unsupported } from './channels.js'
import type { Settings } from './settings.js'

/** A value as the cache keeps it, in memory and serialised. */
export interface Prepared {
  readonly entry: Entry
  readonly bytes: Uint8Array
}

/** Says which values are kept, and counts the others. */
export class Admission {
  readonly counts = { unsupported: 0, oversized: 0 }
  readonly #onUnsupported: (part: string) => void

  /** @param onUnsupported what of a value cannot be kept, such as `an instance of User` */
  constructor (onUnsupported: (part: string) => void) {
    this.#onUnsupported = onUnsupported
  }

  /** @returns what is to be kept; undefined where it cannot be, or is too large */
  admit (key: string, made: Prepared | { readonly unsupported: string }, { maxBytes }: Pick<Settings, 'maxBytes'>): Prepared | undefined {
    if ('unsupported' in made) {
      const { unsupported: part } = made
      this.counts.unsupported++
      this.#onUnsupported(part)
      unsupported.publish(() => ({ key, part }))
      return undefined
    }
    if (made.bytes.length <= maxBytes) return made
    this.counts.oversized++
    return undefined
  }
}
