import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { appendRouteHook, wrapHandler } from '../shared/route-hooks.js'
import { retryAfterOf } from './errors.js'
import type { PoolWatch } from './pool-watch.js'
import { unavailable } from './unavailable.js'

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

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
