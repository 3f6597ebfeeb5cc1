import type { FastifyInstance } from 'fastify'
import type { PoolHealthRouteOptions } from 'fastify-headroom/pool-health'
import type { ServerEntry } from '../entry.js'
import { ownPostgres } from '../postgres.js'

const CONNECTIONS = 20

/** A route that runs one small query. */
async function app (isWatched: boolean, poolHealthOf?: PoolHealthRouteOptions): Promise<FastifyInstance> {
  const { default: Fastify } = await import('fastify')
  const pool = await ownPostgres(CONNECTIONS)
  const app = Fastify()
  if (isWatched) {
    const { default: poolHealth } = await import('fastify-headroom/pool-health')
    await app.register(poolHealth, { pools: { main: pool } })
  }
  app.get('/user', { config: { poolHealth: poolHealthOf ?? false } }, async () => {
    const { rows: [user] } = await pool.query('SELECT $1::int AS id, $2::text AS name', [7, 'Ada'])
    return user as object
  })
  return app
}

const entry: ServerEntry = {
  kind: 'server',
  title: `a route that runs one query, ${CONNECTIONS} connections and more clients: its pool watched, and not`,
  path: '/user',
  baseline: 'not watched',
  variants: {
    'not watched': async () => await app(false),
    watched: async () => await app(true),
    'watched, with a deadline': async () => await app(true, { deadline: '5s' })
  }
}

export default entry
