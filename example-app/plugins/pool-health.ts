import poolHealth from 'fastify-headroom/pool-health'
import fp from 'fastify-plugin'
import type { AppOptions } from '../app.js'

/** What the pool of Postgres does, each minute in the log, and who holds a connection for too long. Shown by routes/pool.ts and routes/health.ts. */
export default fp<AppOptions>(async (app, { leakThreshold = '10s' }) => {
  await app.register(poolHealth, {
    pools: { main: app.pg.pool },
    // As long as one query may take, by query_timeout: who has a connection for longer than that has most likely forgotten it.
    leakThreshold,
    // Of routes with `config: { poolHealth: true }`. Shorter than connectionTimeoutMillis, after which the driver gives up by itself.
    deadline: '1s',
    logInterval: '60s'
  })
}, { name: 'example-pool-health', dependencies: ['example-postgres'] })
