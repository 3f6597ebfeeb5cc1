import { isOutage } from '../shared/outage.js'

/** pg's, of `query_timeout`: the server may hang. */
const HANGS = /^Query read timeout$/

/** pg-pool's, of who was queued. */
const QUEUED = /^timeout exceeded when trying to connect$/

/** The driver's of MongoDB, of `waitQueueTimeoutMS`. */
const QUEUED_FOR_MONGO = 'MongoWaitQueueTimeoutError'

/** What clients of watched pools failed with. */
const ofPools = new WeakSet<Error>()

/** @param error of a watched pool, or of one of its connections */
export function knowAsPools (error: unknown): void {
  if (error instanceof Error) ofPools.add(error)
}

/** Whether an error of a pool says that the database does not answer, so that nothing is wrong with what it was asked. */
export function isAwayError (error: unknown): boolean {
  return !isQueueTimeout(error) && (isOutage(error) || isHang(error))
}

/** The same of any error: what a system call failed with can be of another server, if no watched pool had it. */
export function isPoolsAwayError (error: unknown): boolean {
  if (isQueueTimeout(error)) return false
  if (isOutage(error, { system: false }) || isHang(error)) return true
  for (let depth = 0; depth < 5 && error instanceof Error; depth++) {
    if (ofPools.has(error) && isOutage(error)) return true
    error = error.cause
  }
  return false
}

function isHang (error: unknown): boolean {
  return HANGS.test(String((error as Error | undefined)?.message))
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
