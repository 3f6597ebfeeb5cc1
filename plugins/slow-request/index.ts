import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { boolean, custom, duration, resolveOptions } from '../shared/options.js'
import { onReplyClose } from '../shared/reply-close.js'
import { onConfiguredRoute } from '../shared/route-config.js'
import { type Duration } from '../shared/units.js'
import { slow } from './channels.js'
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
  /** Milliseconds from the first hook to the last byte, or to the connection's end. */
  elapsed: number
  /** Present when the reply was not completed: the client left, or the reply broke off. */
  aborted?: true
}

interface Watched {
  route: string
  threshold: number
}

const OPTIONS = {
  threshold: duration(500),
  global: boolean(true),
  now: custom('a function that returns milliseconds', (value): value is () => number => typeof value === 'function')
}
const ROUTE_OPTIONS = { threshold: duration(undefined) }

const slowRequest: FastifyPluginAsync<SlowRequestOptions> = async (app, raw) => {
  const { threshold, global, now = () => performance.now() } = resolveOptions(OPTIONS, raw, 'options', OptionError)
  const unmatched: Watched | undefined = global ? { route: 'other', threshold } : undefined

  const routes = onConfiguredRoute<Watched>(app, {
    key: 'slowRequest',
    global,
    OptionError,
    resolve: (own, place, route) => ({
      route: route.url,
      threshold: resolveOptions(ROUTE_OPTIONS, own, place, OptionError).threshold ?? threshold
    })
  })

  // An instance hook, so that slow authentication counts and so does a request that no route matched.
  app.addHook('onRequest', function (request, reply, done) {
    const watched = watchedBy(this, request)
    if (watched !== undefined) {
      const start = now()
      onReplyClose(request, reply, (complete) => {
        const elapsed = now() - start
        if (elapsed < watched.threshold) return
        const line = slowLine(watched, request, reply, elapsed, complete)
        request.log.warn({ slowRequest: line }, 'slow request')
        slow.publish(() => line)
      })
    }
    done()
  })

  // Asked at the beginning: `reply.callNotFound()` makes Fastify forget which route it was.
  function watchedBy (scope: FastifyInstance, request: FastifyRequest): Watched | undefined {
    if (request.is404) return routes.governs(scope) ? unmatched : undefined
    return routes.of(request)
  }
}

function slowLine ({ route }: Watched, { method }: FastifyRequest, { raw }: FastifyReply, elapsed: number, complete: boolean): SlowRequestLine {
  const line = { method, route, status: raw.headersSent ? raw.statusCode : null, elapsed: Math.round(elapsed * 10) / 10 }
  return complete ? line : { ...line, aborted: true }
}

export default fp(slowRequest, { name: 'headroom-slow-request', fastify: '5.x' })
