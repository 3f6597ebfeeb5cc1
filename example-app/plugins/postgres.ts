import fastifyPostgres from '@fastify/postgres'
import fp from 'fastify-plugin'
import type { AppOptions } from '../app.js'

/** `app.pg`. */
export default fp<AppOptions>(async (app, { databaseUrl, poolMax }) => {
  await app.register(fastifyPostgres, {
    connectionString: databaseUrl,
    max: poolMax,
    min: Math.min(5, poolMax),
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 2_000,
    maxUses: 7_500,
    query_timeout: 10_000
  })
}, { name: 'example-postgres' })
