import { defineChannel } from '../shared/channel.js'
import type { LoadEffort } from './load.js'

export interface EffortChanged {
  /** `none`: nothing is compressed. */
  readonly effort: LoadEffort
  readonly before: LoadEffort
}

export const effortChanged = defineChannel<EffortChanged>('headroom:compression:effort')
