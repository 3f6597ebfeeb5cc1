import { defineChannel } from '../shared/channel.js'

export interface NotModified {
  readonly method: string
  /** The route's pattern. */
  readonly route: string
  /** Whether the handler was not even called. */
  readonly beforeHandler: boolean
}

export interface PreconditionFailed {
  readonly method: string
  readonly route: string
  /** The field whose condition does not hold. */
  readonly field: string
}

export const notModified = defineChannel<NotModified>('headroom:cache-headers:not-modified')
export const preconditionFailed = defineChannel<PreconditionFailed>('headroom:cache-headers:precondition-failed')
