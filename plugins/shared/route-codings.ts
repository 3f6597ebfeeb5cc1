import type { FastifyRequest, RouteOptions } from 'fastify'

/** What who encodes a route's replies tells who judges their tags. */
export interface RouteCodings {
  /**
   * The codings that the request accepts, as they stand in tags, `''` for none; the one it would get first. Any of them may be
   * chosen: a client that has one of them has what it asks for.
   */
  acceptable (request: FastifyRequest): readonly string[]
}

/** Under a name of its own in the route's config: neither of the two knows the other. */
const KEY = Symbol.for('headroom.codings')
const IDENTITY: RouteCodings = { acceptable: () => [''] }

export function setCodings (route: RouteOptions, codings: RouteCodings): void {
  route.config = { ...route.config, [KEY]: codings } as NonNullable<RouteOptions['config']>
}

export function codingsOf (request: FastifyRequest): RouteCodings {
  return (request.routeOptions.config as unknown as { [KEY]?: RouteCodings })[KEY] ?? IDENTITY
}
