import type { FastifyInstance } from 'fastify'
import type { Pool } from 'pg'
import type { MicroEntry, Operation } from '../entry.js'
import { ownPostgres } from '../postgres.js'

const CONNECTIONS = 10

/** Not in a request: that those are followed is measured by pool-query-route. */
async function watched (pool: Pool): Promise<FastifyInstance> {
  const { default: poolHealth } = await import('fastify-headroom/pool-health')
  const app = await server()
  await app.register(poolHealth, { pools: { main: pool } })
  return app
}

/** Beside a pool that nobody watches too: a process with more code in it is slower by itself. */
async function server (): Promise<FastifyInstance> {
  const { default: Fastify } = await import('fastify')
  return Fastify()
}

async function bare (): Promise<Pool> {
  await server()
  return await ownPostgres(CONNECTIONS)
}

const query = (pool: Pool): Operation => () => pool.query('SELECT $1::int AS id, $2::text AS name', [7, 'Ada'])

const connect = (pool: Pool): Operation => async () => {
  const client = await pool.connect()
  try {
    return await client.query('SELECT $1::int AS id, $2::text AS name', [7, 'Ada'])
  } finally {
    client.release()
  }
}

const entry: MicroEntry = {
  kind: 'micro',
  title: `a query on a pool of ${CONNECTIONS}, watched and bare`,
  callers: CONNECTIONS,
  baseline: 'pool.query, bare',
  variants: {
    'pool.query, bare': async () => query(await bare()),
    'pool.query, watched': async () => {
      const pool = await ownPostgres(CONNECTIONS)
      await watched(pool)
      return query(pool)
    },
    'poolHealth.query': async () => {
      const app = await watched(await ownPostgres(CONNECTIONS))
      return () => app.poolHealth.query('SELECT $1::int AS id, $2::text AS name', [7, 'Ada'])
    },
    'connect and release, bare': async () => connect(await bare()),
    'connect and release, watched': async () => {
      const pool = await ownPostgres(CONNECTIONS)
      await watched(pool)
      return connect(pool)
    }
  },
  expectations: [
    { variant: 'pool.query, watched', of: 'pool.query, bare', metric: 'cpu', atMost: 1.03 }
  ]
}

export default entry
