import type { FastifyRequest } from 'fastify'
import { isPoolsAwayError, isQueueTimeout } from './driver-errors.js'
import { AwayError, BusyError, comeAgain } from './errors.js'

/** Milliseconds after which who found the database away is asked to come again. */
const COME_AGAIN = 1_000

/** Of these methods nothing is done twice when a client comes again (RFC 9110 §9.2.2). */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

const OF_PACKAGE = /^FST_HEADROOM_/

/** Requests that have had a connection: they may have changed something. */
const served = new WeakSet<FastifyRequest>()

export function hasConnection (request: FastifyRequest): void {
  served.add(request)
}

/** With `Retry-After`, unless who obeys might do twice what was done, or may have been. */
export function refused<T extends Error> (error: T, milliseconds: number, request: FastifyRequest | undefined): T {
  return request === undefined || REPEATABLE.has(request.method) || !served.has(request) ? comeAgain(error, milliseconds) : error
}

/**
 * What a guarded route fails with in place of what it did: 503 where there was no connection, or is no database.
 *
 * @param pool its name, where it is known, and in how many milliseconds it will have a connection
 */
export function unavailable (error: unknown, request: FastifyRequest, pool?: { name: string, predictedWait: () => number }): unknown {
  const own = ownAmong(error)
  if (own !== undefined) return own
  // Another plugin of the package has judged what it had from the database.
  if (OF_PACKAGE.test(String((error as { code?: unknown } | null)?.code))) return error
  if (isQueueTimeout(error)) {
    return refused(new BusyError(pool === undefined ? 'the pool' : `the pool ${pool.name}`, { cause: error }), pool?.predictedWait() ?? COME_AGAIN, request)
  }
  return isPoolsAwayError(error) ? refused(new AwayError({ cause: error }), COME_AGAIN, request) : error
}

/** Of it and its causes: some ORMs put each error of a query into one of theirs. */
function ownAmong (error: unknown): Error | undefined {
  for (let depth = 0; depth < 5 && error instanceof Error; depth++) {
    if (error instanceof BusyError || error instanceof AwayError) return error
    error = error.cause
  }
  return undefined
}
