import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_POOL_HEALTH_OPTION', [string]>('FST_HEADROOM_POOL_HEALTH_OPTION', 'pool-health: %s')

export const QueryError = createError<'FST_HEADROOM_POOL_HEALTH_QUERY', [string]>(
  'FST_HEADROOM_POOL_HEALTH_QUERY', 'pool-health: %s', 500, TypeError)

/** There is no connection within the route's deadline. `cause` is what the driver said, where it said something. */
export const BusyError = createError<'FST_HEADROOM_POOL_HEALTH_BUSY', [string] | [string, { cause: unknown }]>(
  'FST_HEADROOM_POOL_HEALTH_BUSY', 'pool-health: %s has no connection to give in time', 503)

/** `cause` is what the driver said. */
export const AwayError = createError<'FST_HEADROOM_POOL_HEALTH_AWAY', [{ cause: unknown }]>(
  'FST_HEADROOM_POOL_HEALTH_AWAY', 'pool-health: the database does not answer', 503)

/** That a client should come again, and when: the reply's `Retry-After`. */
const RETRY_AFTER = Symbol('headroom.poolHealth.retryAfter')

/** Fastify's own error handler puts an error's `headers` into the reply; for others it is kept under the symbol too. */
export function comeAgain<T extends Error> (error: T, milliseconds: number): T {
  // More than a minute would be a guess.
  const seconds = String(Math.min(60, Math.max(1, Math.ceil(milliseconds / 1_000))))
  return Object.assign(error, { headers: { 'retry-after': seconds }, [RETRY_AFTER]: seconds })
}

/** Seconds, as the header has them. */
export function retryAfterOf (error: unknown): string | undefined {
  return (error as { [RETRY_AFTER]?: string } | null | undefined)?.[RETRY_AFTER]
}
