import { isOutage } from '../shared/outage.js'

/** pg's, of `query_timeout`: the server may hang. */
const HANGS = /^Query read timeout$/

/** pg-pool's, of who was queued. */
const QUEUED = /^timeout exceeded when trying to connect$/

/** The driver's of MongoDB, of `waitQueueTimeoutMS`. */
const QUEUED_FOR_MONGO = 'MongoWaitQueueTimeoutError'

/** Whether it is the database that does not answer, so that nothing is wrong with what it was asked. */
export function isAwayError (error: unknown): boolean {
  return !isQueueTimeout(error) && (isOutage(error) || HANGS.test(String((error as Error | undefined)?.message)))
}

/** Whether a driver, by this error or by its cause, gave up a caller because all connections were in use: that says nothing of the database. */
export function isQueueTimeout (error: unknown): boolean {
  for (let depth = 0; depth < 5 && typeof error === 'object' && error !== null; depth++) {
    const { name, message, cause } = error as { name?: unknown, message?: unknown, cause?: unknown }
    if (name === QUEUED_FOR_MONGO || (typeof message === 'string' && QUEUED.test(message))) return true
    error = cause
  }
  return false
}
