import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CacheHeadersRouteOptions } from 'fastify-headroom/cache-headers'
import type { Pool } from 'pg'
import { SCHEMA, seed } from '../../example-app/seed.js'
import type { ServerEntry } from '../entry.js'
import { ownPostgres } from '../postgres.js'

const USERS = 1_000
const CONNECTIONS = 20

/** One of those that everybody reads. */
const POST = 7

const TEXT = 'What is measured once is an anecdote; what is measured in turns, next to what it is compared with, begins to be a figure. '

interface OfPost { Params: { id: number } }

/** The route as it would be without any of this: a post with its author and what else there is of them. */
async function posts (cacheHeadersOf: (pool: Pool) => CacheHeadersRouteOptions): Promise<FastifyInstance> {
  const { default: Fastify } = await import('fastify')
  const { default: plugin } = await import('fastify-headroom/cache-headers')
  const pool = await seededPool()
  const app = Fastify()
  await app.register(plugin)
  const schema = { params: { type: 'object', properties: { id: { type: 'integer' } } } }
  app.get<OfPost>('/posts/:id', { schema, config: { cacheHeaders: cacheHeadersOf(pool) } }, async (request, reply) => {
    const { rows: [post] } = await pool.query(`
      SELECT posts.id, title, body, created_at, posts.updated_at, user_id, users.name AS author
      FROM ${SCHEMA}.posts JOIN ${SCHEMA}.users ON users.id = user_id WHERE posts.id = $1`, [request.params.id])
    if (post === undefined) return await reply.code(404).send({ message: 'There is no such post' })
    const { rows: more } = await pool.query(`
      SELECT id, title, created_at FROM ${SCHEMA}.posts WHERE user_id = $1 AND id <> $2 ORDER BY created_at DESC, id DESC LIMIT 5`, [post.user_id, post.id])
    return { ...post, more }
  })
  return app
}

async function seededPool (): Promise<Pool> {
  const pool = await ownPostgres(CONNECTIONS)
  const client = await pool.connect()
  await seed(client, USERS, () => {})
  await client.query(`UPDATE ${SCHEMA}.posts SET body = repeat($1, 20)`, [TEXT])
  client.release()
  await pool.query(`VACUUM ANALYZE ${SCHEMA}.posts`)
  return pool
}

const entry: ServerEntry = {
  kind: 'server',
  title: 'GET of a post of 2.5 KB in Postgres by a client that has it: 304',
  path: `/posts/${POST}`,
  revalidates: true,
  baseline: 'by content',
  variants: {
    'by content': async () => await posts(() => ({})),
    'by version': async () => {
      const { microsecondDates } = await import('fastify-headroom/cache-headers')
      const { default: { types } } = await import('pg')
      return await posts((pool) => ({
        version: async (request: FastifyRequest<OfPost>) => {
          const { rows: [post] } = await pool.query({
            text: `SELECT updated_at FROM ${SCHEMA}.posts WHERE id = $1`,
            values: [request.params.id],
            types: microsecondDates(types)
          })
          return post === undefined ? null : post.updated_at as Date
        }
      }))
    },
    'by version, which is at hand': async () => {
      const versions = new Map([[POST, '2025-02-03T04:05:06.789012Z']])
      return await posts(() => ({ version: (request: FastifyRequest<OfPost>) => versions.get(request.params.id) ?? null }))
    }
  },
  replies: { 'by content': { status: 304 }, 'by version': { status: 304 }, 'by version, which is at hand': { status: 304 } },
  expectations: [
    { variant: 'by version', of: 'by content', atLeast: 3 },
    { variant: 'by content', of: 'by version', metric: 'cpu', atLeast: 3 }
  ]
}

export default entry
