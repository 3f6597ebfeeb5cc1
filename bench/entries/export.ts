import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Pool } from 'pg'
import { findPsql } from '../../services/psql.js'
import type { MicroEntry, Operation } from '../entry.js'
import { ownPostgres } from '../postgres.js'

const USERS = 1_000_000

const ALL = 'SELECT id, name, email, bio, updated_at FROM users'

/** Reads a reply to its end, in a process of its own, and throws it away. */
const READER = `
  require('node:http').get(process.argv[1], (reply) => {
    let last
    reply.on('data', (chunk) => { last = chunk }).on('end', () => { process.exitCode = last.at(-1) === 93 ? 0 : 1 })
  })`

async function seededPool (): Promise<Pool> {
  const pool = await ownPostgres(2)
  await pool.query(`
    CREATE TABLE users AS
    SELECT id, 'User number ' || id AS name, 'user' || id || '@example.com' AS email, repeat('Nothing is known beyond that. ', 1 + id % 4) AS bio, now() AS updated_at
    FROM generate_series(1, ${USERS}) AS id`)
  await pool.query('VACUUM ANALYZE users')
  return pool
}

async function over (send: (pool: Pool, app: FastifyInstance) => Promise<(reply: FastifyReply) => Promise<unknown>>): Promise<Operation> {
  const { default: Fastify } = await import('fastify')
  const app: FastifyInstance = Fastify()
  const handle = await send(await seededPool(), app)
  app.get('/', async (_request, reply) => await handle(reply))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return async () => { await ended(process.execPath, ['-e', READER, `http://127.0.0.1:${port}/`]) }
}

async function ended (command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ended with exit code ${String(code)}`)
}

async function streamed (query: Parameters<FastifyReply['streamQuery']>[0]): Promise<Operation> {
  return await over(async (pool, app) => {
    const { default: streamReply } = await import('fastify-headroom/stream-reply')
    await app.register(streamReply, { pools: { main: pool } })
    return async (reply) => await reply.streamQuery(query, { format: 'json' })
  })
}

const entry: MicroEntry = {
  kind: 'micro',
  title: `an export of ${USERS.toLocaleString('en')} users as JSON, read to its end by another process`,
  baseline: 'psql, COPY of row_to_json',
  // One export a round.
  pace: { rounds: 5, warmUp: 1, slice: 1 },
  variants: {
    'psql, COPY of row_to_json': async () => {
      const psql = await findPsql()
      const { options } = await seededPool()
      const url = (options as { connectionString: string }).connectionString
      return async () => { await ended(psql.path, [url, '-c', `COPY (SELECT row_to_json(t) FROM (${ALL}) AS t) TO STDOUT`], psql.env) }
    },
    streamQuery: async () => await streamed(ALL),
    'streamQuery, with a value': async () => await streamed({ text: `${ALL} WHERE id >= $1`, values: [1] }),
    'a cursor row by row, JSON.stringify': async () => await over(async (pool) => {
      const [{ default: Cursor }, { Readable }] = await Promise.all([import('pg-cursor'), import('node:stream')])
      async function * rows (): AsyncGenerator<string> {
        const client = await pool.connect()
        const cursor = client.query(new Cursor<object>(ALL))
        let before = '['
        // As pg-query-stream fetches them.
        for (let rows = await cursor.read(100); rows.length > 0; rows = await cursor.read(100)) {
          for (const row of rows) {
            yield before + JSON.stringify(row)
            before = ','
          }
        }
        yield ']'
        await cursor.close()
        client.release()
      }
      return async (reply) => await reply.type('application/json').send(Readable.from(rows(), { objectMode: false }))
    })
  },
  expectations: [
    { variant: 'streamQuery', of: 'psql, COPY of row_to_json', atLeast: 1 / 1.25 },
    { variant: 'streamQuery, with a value', of: 'psql, COPY of row_to_json', atLeast: 1 / 1.5 },
    { variant: 'streamQuery', of: 'a cursor row by row, JSON.stringify', atLeast: 2.5 },
    { variant: 'streamQuery', of: 'a cursor row by row, JSON.stringify', metric: 'cpu', atMost: 0.4 }
  ]
}

export default entry
