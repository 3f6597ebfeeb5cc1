import type { FastifyInstance } from 'fastify'
import { boundTo, currentContext } from '../shared/request-context.js'
import { isPgPool, type PgPool } from './pg-pool.js'

/** What @fastify/postgres decorates with, for each of its pools. */
interface HostPool {
  pool: PgPool
  connect?: unknown
  query?: unknown
  transact?: unknown
}

/** The pools of @fastify/postgres: `main`, and those it was registered with a `name` for; undefined when there is none. */
export function poolsOfHost (app: FastifyInstance): Record<string, PgPool> | undefined {
  const pools: Record<string, PgPool> = {}
  for (const [name, { pool }] of hostPools(app)) pools[name] = pool
  return Object.keys(pools).length > 0 ? pools : undefined
}

/**
 * Lets `app.pg.connect` and `app.pg.query` come by whoever watches the pool: @fastify/postgres has bound the pool's methods as
 * they were when it was registered.
 */
export function unbindHostPools (app: FastifyInstance, watched: ReadonlySet<unknown>): void {
  for (const [, host] of hostPools(app)) {
    const { pool } = host
    if (!watched.has(pool)) continue
    host.connect = (...args: []) => pool.connect(...args)
    host.query = (...args: [string]) => pool.query(...args)
    const { transact } = host
    if (typeof transact !== 'function') continue
    // It calls back from the socket's context.
    host.transact = (...args: unknown[]) => {
      const context = currentContext()
      return Reflect.apply(transact, host, args.map((arg) => typeof arg === 'function' ? boundTo(context, arg as () => unknown) : arg)) as unknown
    }
  }
}

function hostPools (app: FastifyInstance): Map<string, HostPool> {
  const pools = new Map<string, HostPool>()
  const pg: unknown = app.hasDecorator('pg') ? (app as { pg?: unknown }).pg : undefined
  if (typeof pg !== 'object' || pg === null) return pools
  if (isHostPool(pg)) pools.set('main', pg)
  for (const [name, part] of Object.entries(pg)) if (isHostPool(part)) pools.set(name, part)
  return pools
}

function isHostPool (value: unknown): value is HostPool {
  return isPgPool((value as { pool?: unknown } | null | undefined)?.pool)
}
