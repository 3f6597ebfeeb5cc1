import type { FastifyInstance } from 'fastify'
import { isPgPool, type PgPool } from './pool-watch.js'

/** The pools of @fastify/postgres: `main`, and those it was registered with a `name` for; undefined when there is none. */
export function poolsOfHost (app: FastifyInstance): Record<string, PgPool> | undefined {
  const pg: unknown = app.hasDecorator('pg') ? (app as { pg?: unknown }).pg : undefined
  if (typeof pg !== 'object' || pg === null) return undefined
  const pools: Record<string, PgPool> = {}
  for (const [name, part] of Object.entries(pg)) {
    if (name === 'pool' && isPgPool(part)) pools.main = part
    const named: unknown = (part as { pool?: unknown } | null | undefined)?.pool
    if (isPgPool(named)) pools[name] = named
  }
  return Object.keys(pools).length > 0 ? pools : undefined
}
