import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import pg from 'pg'
import type { Test } from 'tap'
import streamReply, { type StreamReplyOptions } from '../../plugins/stream-reply/index.js'

export interface BuiltApp {
  app: FastifyInstance
  pool: pg.Pool
}

export interface BuildOptions extends StreamReplyOptions {
  /** Connections of the pool. */
  max?: number
  server?: FastifyServerOptions
  /** Registers what comes before the plugin. */
  before?: (app: FastifyInstance) => Promise<void>
}

/** An app with the plugin and a pool of the database at `url`, both of which end with the test. */
export async function buildApp (t: Test, url: string, add: (app: FastifyInstance) => void, options: BuildOptions = {}): Promise<BuiltApp> {
  const { max = 5, server = {}, before, ...own } = options
  const pool = new pg.Pool({ connectionString: url, max })
  pool.on('error', () => {})
  const app = Fastify(server)
  await before?.(app)
  await app.register(streamReply, { pools: { main: pool }, ...own })
  add(app)
  await app.ready()
  t.teardown(async () => {
    await app.close()
    await pool.end()
  })
  return { app, pool }
}
