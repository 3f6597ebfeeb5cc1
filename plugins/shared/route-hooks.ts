import type { FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify'

type RouteHookName =
  'onRequest' | 'preParsing' | 'preValidation' | 'preHandler' | 'preSerialization' | 'onSend' | 'onResponse' | 'onTimeout' | 'onError' | 'onRequestAbort'

type RouteHook<Name extends RouteHookName> = Extract<NonNullable<RouteOptions[Name]>, (...args: never[]) => unknown>

/**
 * Adds a hook behind those that the route has. On a new array: a route's array can be another's too, the one of its HEAD
 * twin or of whoever made the options, and a hook pushed onto it would run twice.
 */
export function appendRouteHook<Name extends RouteHookName> (route: RouteOptions, name: Name, hook: RouteHook<Name>): void {
  const hooks = hooksOf(route, name)
  if (!hooks.includes(hook)) Object.assign(route, { [name]: [...hooks, hook] })
}

/** The same, before those that the route has. */
export function prependRouteHook<Name extends RouteHookName> (route: RouteOptions, name: Name, hook: RouteHook<Name>): void {
  const hooks = hooksOf(route, name)
  if (!hooks.includes(hook)) Object.assign(route, { [name]: [hook, ...hooks] })
}

/** As the route has them: one, several or none. */
export function hooksOf (route: RouteOptions, name: RouteHookName): readonly unknown[] {
  const present: unknown = route[name]
  return Array.isArray(present) ? present : present === undefined ? [] : [present]
}

/** The handler, called with the `this` that Fastify gives it. */
export type Handle = (request: FastifyRequest, reply: FastifyReply) => unknown

/**
 * Puts something around the route's handler. It runs after every hook of every plugin, whenever registered: a route-level
 * `preHandler` does not, because an authorisation plugin that is registered later appends its own behind it.
 */
export function wrapHandler (route: RouteOptions, around: (handle: Handle, request: FastifyRequest, reply: FastifyReply) => unknown): void {
  const { handler } = route
  const wrapped: RouteHandlerMethod = function (request, reply) {
    return around((...args) => handler.apply(this, args), request, reply)
  }
  route.handler = wrapped
}
