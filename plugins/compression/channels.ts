import { defineChannel } from '../shared/channel.js'
import type { Effort } from './encoders.js'

export interface EffortChanged {
  /** `none`: nothing is compressed. */
  readonly effort: Effort | 'none'
  readonly before: Effort | 'none'
}

export const effortChanged = defineChannel<EffortChanged>('headroom:compression:effort')
