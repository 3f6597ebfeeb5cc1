import type { FastifyPluginAsync } from 'fastify'
import type { Format } from 'fastify-headroom/stream-reply'
import { Users } from '../users.js'

interface Export { Querystring: { format?: Format, from?: number, to?: number } }

const EXPORT = {
  type: 'object',
  additionalProperties: false,
  properties: {
    format: { enum: ['json', 'ndjson', 'csv'] },
    from: { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 },
    to: { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 }
  }
}

/** Every user, however many there are: never more of them in memory than fit into some 400 KB. */
const routes: FastifyPluginAsync = async (app) => {
  const users = new Users(app.pg.pool)

  app.get<Export>('/api/export', { schema: { querystring: EXPORT } }, async ({ query: { format, from, to } }, reply) => {
    const sql = from === undefined && to === undefined ? users.all : users.between(from, to)
    return await reply.streamQuery(sql, { ...format && { format, filename: `users.${format}` }, pool: 'main' })
  })

  /** For comparison: all of them in memory, first as rows, then as text. */
  app.get<Export>('/api/export-in-memory', { schema: { querystring: EXPORT } }, async ({ query: { from, to } }) => {
    const { rows } = await app.pg.pool.query<object>(users.between(from, to))
    return rows
  })
}

export default routes
