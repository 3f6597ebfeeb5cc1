import { defineChannel } from '../shared/channel.js'

export interface LoadEvent {
  /** The first of them, where one load brings several. */
  key: string
  /** How many keys it was asked for. */
  keys: number
  /** Milliseconds. */
  elapsed: number
  /** What the loader threw. */
  error?: unknown
}

export const loaded = defineChannel<LoadEvent>('headroom:cache:load')
export const redisFailed = defineChannel<{ error: unknown }>('headroom:cache:redis-error')
export const unreadable = defineChannel<{ key: string }>('headroom:cache:unreadable')
export const unsupported = defineChannel<{ key: string, part: string }>('headroom:cache:unsupported')
