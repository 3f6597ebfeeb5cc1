import poolHealth from 'fastify-headroom/pool-health'
import fp from 'fastify-plugin'

/** The gauges of the Postgres pool, each minute in the log. Shown by routes/health.ts. */
export default fp(async (app) => {
  await app.register(poolHealth, { pools: { main: app.pg.pool }, logInterval: '60s' })
}, { name: 'example-pool-health', dependencies: ['example-postgres'] })
