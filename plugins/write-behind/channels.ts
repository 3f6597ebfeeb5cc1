import { defineChannel } from '../shared/channel.js'

interface OfQueue {
  /** Its name. */
  queue: string
}

export interface SavedEvent extends OfQueue {
  /** How many writes were saved together. */
  writes: number
  /** Milliseconds that the save took. */
  elapsed: number
}

export interface FailedEvent extends OfQueue {
  id: string
  version: number
  /** How often the save has failed. */
  tries: number
  /** What the save threw. */
  error: unknown
}

export interface DepthEvent extends OfQueue {
  /** Ids that wait, in the shards of this process. */
  depth: number
  /** Milliseconds that the one that waits longest has waited. */
  lag: number
  deadLetters: number
}

export const saved = defineChannel<SavedEvent>('headroom:write-behind:saved')
export const retried = defineChannel<FailedEvent>('headroom:write-behind:retry')
export const buried = defineChannel<FailedEvent>('headroom:write-behind:dead-letter')
export const depth = defineChannel<DepthEvent>('headroom:write-behind:depth')
export const sourceAway = defineChannel<OfQueue & { error: unknown, pause: number }>('headroom:write-behind:source-away')
export const savedDirectly = defineChannel<OfQueue & { id: string, version: number }>('headroom:write-behind:direct')
export const refused = defineChannel<OfQueue & { error: unknown }>('headroom:write-behind:refused')
