import type { FastifyInstance } from 'fastify'
import { isPgPool, type PgPool } from './pg-pool.js'

/** What @fastify/postgres decorates with, for each of its pools. */
export interface HostPool {
  pool: PgPool
  connect?: unknown
  query?: unknown
  transact?: unknown
}

/** The pools of @fastify/postgres: `main`, and those it was registered with a `name` for; undefined when there is none. */
export function pgPoolsOfHost (app: FastifyInstance): Record<string, PgPool> | undefined {
  const pools: Record<string, PgPool> = {}
  for (const [name, { pool }] of hostPools(app)) pools[name] = pool
  return Object.keys(pools).length > 0 ? pools : undefined
}

/** What it has decorated the app with, by name. */
export function hostPools (app: FastifyInstance): Map<string, HostPool> {
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
