import { performance } from 'node:perf_hooks'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { boolean, custom, duration, resolveOptions } from '../shared/options.js'
import { onConfiguredRoute } from '../shared/route-config.js'
import { type Duration } from '../shared/units.js'
import { OptionError } from './errors.js'

export interface SlowRequestRouteOptions {
  /** A request of this route that takes this long or longer is logged. Default: the plugin's `threshold`. */
  threshold?: Duration
}

export interface SlowRequestOptions {
  /** A request that takes this long or longer is logged. Default `'500ms'`. */
  threshold?: Duration
  /** Whether routes that do not say `config.slowRequest` are watched. Default `true`. */
  global?: boolean
  /** A monotonic clock in milliseconds. Default `performance.now`. */
  now?: () => number
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `false` switches the slow-request line off, `true` on, an object sets this route's own threshold. */
    slowRequest?: SlowRequestRouteOptions | boolean
  }
}

/** The fields of the slow line, under `slowRequest`. */
export interface SlowRequestLine {
  method: string
  /** The route's pattern, never the URL: a path or query string can hold a user's data. `other`: no route matched. */
  route: string
  /** The status sent; `null` when the client left before there was one. */
  status: number | null
  /** Milliseconds from the first hook to the last byte, or to the client's leaving. */
  elapsed: number
  /** Present when the client left before the reply was complete. */
  aborted?: true
}

const OPTIONS = {
  threshold: duration(500),
  global: boolean(true),
  now: custom('a function that returns milliseconds', (value): value is () => number => typeof value === 'function')
}
const ROUTE_OPTIONS = { threshold: duration(undefined) }

const slowRequest: FastifyPluginAsync<SlowRequestOptions> = async (app, raw) => {
  const { threshold, global, now = () => performance.now() } = resolveOptions(OPTIONS, raw, 'options', OptionError)
  // The lowest threshold of all: a request below it costs one comparison, not a look at its route.
  let lowest = threshold

  const routes = onConfiguredRoute(app, {
    key: 'slowRequest',
    global,
    OptionError,
    resolve: (own, place) => ({ threshold: resolveOptions(ROUTE_OPTIONS, own, place, OptionError).threshold ?? threshold })
  }, (_route, own) => { lowest = Math.min(lowest, own.threshold) })

  // An instance hook, so that slow authentication counts and so does a request that no route matched.
  app.addHook('onRequest', function (request, reply, done) {
    if (routes.governs(this)) {
      const start = now()
      // Not onResponse: it never sees a client that left, and those are the slowest requests.
      reply.raw.once('close', () => {
        const elapsed = now() - start
        if (elapsed >= lowest) report(request, reply, elapsed)
      })
    }
    done()
  })

  function report (request: FastifyRequest, reply: FastifyReply, elapsed: number): void {
    const limit = request.is404 ? (global ? threshold : undefined) : routes.of(request)?.threshold
    if (limit === undefined || elapsed < limit) return
    request.log.warn({ slowRequest: slowLine(request, reply, elapsed) }, 'slow request')
  }
}

function slowLine (request: FastifyRequest, reply: FastifyReply, elapsed: number): SlowRequestLine {
  const { raw } = reply
  // writableFinished stays false on Node's HTTP/2 compatibility response.
  const complete = request.raw.httpVersionMajor === 2 ? raw.writableEnded : raw.writableFinished
  const line: SlowRequestLine = {
    method: request.method,
    route: request.routeOptions.url ?? 'other',
    status: raw.headersSent ? raw.statusCode : null,
    elapsed: Math.round(elapsed * 10) / 10
  }
  return complete ? line : { ...line, aborted: true }
}

export default fp(slowRequest, { name: 'headroom-slow-request', fastify: '5.x' })
