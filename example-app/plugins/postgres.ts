import fastifyPostgres from '@fastify/postgres'
import fp from 'fastify-plugin'
import type { AppOptions } from '../app.js'
import { SCHEMA } from '../seed.js'

/** `app.pg`. */
export default fp<AppOptions>(async (app, { databaseUrl, poolMax }) => {
  await app.register(fastifyPostgres, {
    connectionString: databaseUrl,
    options: `-c search_path=${SCHEMA},public -c timezone=UTC`,
    max: poolMax,
    min: Math.min(5, poolMax),
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 2_000,
    maxUses: 7_500
  })
}, { name: 'example-postgres' })
