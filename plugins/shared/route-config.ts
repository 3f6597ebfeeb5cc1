import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { complaint, describe, type OptionErrorConstructor } from './options.js'

export interface RouteConvention<Own> {
  /** The plugin's key in a route's `config`. */
  key: string
  /** Whether the plugin works on a route whose config does not name it. */
  global: boolean
  /** Turns the route's own object (`{}` for `true` and for absent) into complete settings. */
  resolve (own: object, place: string, route: RouteOptions): Own
  OptionError: OptionErrorConstructor
}

export interface ConfiguredRoutes<Own> {
  /** Whether this registration is the innermost one of the scope: for what belongs to no route. */
  governs (scope: FastifyInstance): boolean
  /** The settings of the request's route; undefined where another registration has it, it is switched off, or no route matched. */
  of (request: FastifyRequest): Own | undefined
}

/**
 * The per-route convention of every plugin: `config: { <key>: false | true | {…} }`, absent following `global`,
 * merged and validated once, when the route is added.
 *
 * Registered again in a child scope, the inner registration wins on its routes: the outer one does not see them.
 *
 * @param onRoute called for each route it is switched on for (the automatic HEAD twin is a route of its own), with
 *   options that it may replace hook arrays on but not push onto: Fastify shares those arrays between routes
 * @throws OptionError at boot, naming the route, the key, what was expected and what arrived
 */
export function onConfiguredRoute<Own extends object> (
  app: FastifyInstance, convention: RouteConvention<Own>, onRoute?: (route: RouteOptions, own: Own) => void
): ConfiguredRoutes<Own> {
  const innermost = Symbol.for(`headroom.${convention.key}.innermost`)
  const seen = Symbol.for(`headroom.${convention.key}.seen`)
  const settings = Symbol(`headroom.${convention.key}.settings`)
  const self = {}
  if (Object.hasOwn(app, innermost)) throw new convention.OptionError(`${convention.key}: it is registered already in this scope`)
  app.decorate(innermost, self)
  const governs = (scope: FastifyInstance): boolean => Reflect.get(scope, innermost) === self

  app.addHook('onRoute', function (route) {
    if (!governs(this)) return
    const own = ownSettings(route, convention)
    // Symbols on a copy of the config: they reach the request's routeOptions, and the host's object stays as it was.
    route.config = { ...route.config, [seen]: true, [settings]: own } as NonNullable<RouteOptions['config']>
    if (own !== undefined) onRoute?.(route, own)
  })

  let warned = false
  function warnOfUnseen ({ method, url }: { method: unknown, url?: string | undefined }): void {
    if (warned) return
    warned = true
    app.log.warn(`route ${String(method)} ${url} was added before headroom's ${convention.key}, which does not see it: await the plugin's registration, and add routes after it`)
  }

  return {
    governs,
    of (request) {
      const route = request.routeOptions
      const config = route.config as unknown as Record<string | symbol, unknown>
      if (config[seen] !== true && (config[convention.key] ?? convention.global) !== false) warnOfUnseen(route)
      return config[settings] as Own | undefined
    }
  }
}

function ownSettings<Own> (route: RouteOptions, { key, global, resolve, OptionError }: RouteConvention<Own>): Own | undefined {
  const given = (route.config as Record<string, unknown> | undefined)?.[key]
  if (given === false || (given === undefined && !global)) return undefined
  const place = `route ${String(route.method)} ${route.url}: config.${key}`
  if (given === undefined || given === true) return resolve({}, place, route)
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return resolve(given, place, route)
  throw new OptionError(complaint(place, 'true, false or an object', describe(given)))
}
