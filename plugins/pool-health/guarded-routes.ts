import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { appendRouteHook, wrapHandler } from '../shared/route-hooks.js'
import { isPoolsAwayError, isQueueTimeout } from './driver-errors.js'
import { AwayError, BusyError, comeAgain, retryAfterOf } from './errors.js'
import type { PoolWatch } from './pool-watch.js'

/** Milliseconds after which who found the database away is asked to come again. */
const COME_AGAIN = 1_000

/** Of these methods nothing is done twice when a client comes again (RFC 9110 §9.2.2). */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

export interface GuardedRoute {
  /** Milliseconds that its requests may wait for a connection. */
  readonly deadline: number
  /** The pool that is asked before the handler, where its driver refuses nobody. */
  readonly before: PoolWatch | undefined
}

/** Makes 503 with Retry-After of what a handler fails with because there is no connection, or no database. */
export function guardRoute (route: RouteOptions, { deadline, before }: GuardedRoute): void {
  wrapHandler(route, (handle, request, reply) => {
    before?.admit(deadline, { request })
    let result: unknown
    try {
      result = handle(request, reply)
    } catch (error) {
      throw unavailable(error, request, before)
    }
    // A reply is a thenable too, which Fastify itself waits for.
    if (result === reply || !isThenable(result)) return result
    return Promise.resolve(result).catch((error: unknown) => { throw unavailable(error, request, before) })
  })
  appendRouteHook(route, 'onError', setRetryAfter)
}

/** Also where the host has an error handler of its own. */
function setRetryAfter (_request: FastifyRequest, reply: FastifyReply, error: unknown, done: () => void): void {
  const seconds = retryAfterOf(error)
  if (seconds !== undefined) reply.header('retry-after', seconds)
  done()
}

function unavailable (error: unknown, { method }: FastifyRequest, before: PoolWatch | undefined): unknown {
  if (error instanceof BusyError || error instanceof AwayError) return error
  if (isQueueTimeout(error)) return comeAgain(new BusyError(before === undefined ? 'the pool' : `the pool ${before.name}`, { cause: error }), before?.predictedWait() ?? COME_AGAIN)
  if (!isPoolsAwayError(error)) return error
  const away = new AwayError({ cause: error })
  // Whether a write was carried out is not known: who comes again would do it twice.
  return REPEATABLE.has(method) ? comeAgain(away, COME_AGAIN) : away
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
