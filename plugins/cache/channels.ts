import { defineChannel } from '../shared/channel.js'

export interface LoadEvent {
  key: string
  /** Milliseconds. */
  elapsed: number
  /** What the loader threw. */
  error?: unknown
}

export const loaded = defineChannel<LoadEvent>('headroom:cache:load')
export const redisFailed = defineChannel<{ error: unknown }>('headroom:cache:redis-error')
