import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import poolHealth from '../../plugins/pool-health/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { captureLog } from '../helpers/log-capture.js'
import { query, usePostgres } from '../helpers/postgres.js'
import { buildApp } from './build-app.js'
import { get } from './get.js'

const LARGE = 'SELECT i, repeat(\'x\', 1000) AS text FROM generate_series(1, 30000) AS i'

async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

t.test('who reads a byte a second is let go at the deadline, or for reading too slowly, while others get all', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/late', { config: { streamReply: { deadline: '1s', minThroughput: false } } }, async (_request, reply) => await reply.streamQuery(LARGE))
    app.get('/slow', { config: { streamReply: { minThroughput: '100kb', throughputWindow: '500ms' } } }, async (_request, reply) => await reply.streamQuery(LARGE))
    app.get('/whole', async (_request, reply) => await reply.streamQuery(LARGE))
  }, { max: 6 })
  const port = await listen(app)
  const slow = await Promise.all(['/late', '/slow'].map(async (path) => await get(port, path)))
  // What is late before it is being sent is a 504.
  await eventually(() => app.streamReply.stats().running === 2)
  const timer = setInterval(() => { for (const socket of slow) socket.read(1) }, 1_000)
  t.teardown(() => { clearInterval(timer) })
  const replies = await Promise.all(Array.from({ length: 4 }, async () => await app.inject('/whole')))
  for (const reply of replies) t.equal(reply.json<unknown[]>().length, 30_000)
  await eventually(() => app.streamReply.stats().running === 0 && pool.idleCount === pool.totalCount, 15_000)
  t.match(app.streamReply.stats(), { complete: 4, failed: 2, left: 0 })
  for (const socket of slow) socket.destroy()
})

t.test('what is late before its first row is 504, and its query ends', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery('SELECT 1 FROM (SELECT pg_sleep(20)) AS s', { deadline: '300ms' }))
  })
  t.match(await app.inject('/'), { statusCode: 504 })
  await eventually(() => pool.idleCount === 1)
  t.strictSame((await pool.query("SELECT count(*)::int AS running FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()")).rows, [{ running: 0 }])
})

t.test('who leaves while the statement waits for a lock to be parsed leaves nothing waiting there', async (t) => {
  const { url } = await usePostgres(t)
  await query(url, 'CREATE TABLE things (id int)')
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery('TABLE things'))
  }, { max: 2 })
  const port = await listen(app)
  const holder = await pool.connect()
  t.teardown(() => { holder.release(true) })
  await holder.query('BEGIN')
  await holder.query('LOCK TABLE things')
  const waiting = async (): Promise<boolean> =>
    (await query(url, "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")).length > 0
  const socket = await get(port, '/')
  await eventually(waiting)
  socket.destroy()
  await eventually(async () => !await waiting())
  await eventually(() => pool.idleCount === 1)
  t.equal(pool.totalCount, 2, 'its connection is the one that it was')
})

t.test('a deadline may be as long as any, and the database is not asked for a longer one than it has', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = await buildApp(t, url, (app) => {
    app.get('/', { config: { streamReply: { deadline: 2 ** 31 - 1 } } }, async (_request, reply) => await reply.streamQuery('SELECT 1 AS one'))
  })
  t.equal((await app.inject('/')).body, '[{"one":1}\n]')
})

t.test('who leaves while it is queued for a connection takes none, and who waits too long is 503 with Retry-After', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery('SELECT 1 AS one'))
    app.get('/patient', async (_request, reply) => await reply.streamQuery('SELECT 1 AS one', { acquireTimeout: '100ms' }))
  }, { max: 1 })
  const port = await listen(app)
  const client = await pool.connect()
  const socket = await get(port, '/')
  await eventually(() => pool.waitingCount === 1)
  socket.destroy()
  t.match(await app.inject('/patient'), { statusCode: 503, headers: { 'retry-after': '1' } })
  client.release()
  await eventually(() => pool.waitingCount === 0 && pool.idleCount === 1)
  t.equal((await app.inject('/')).statusCode, 200)
})

t.test('a bad query is an error of its own, before anything is sent, and a HEAD runs none', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get<{ Querystring: { sql: string } }>('/', async ({ query: { sql } }, reply) => await reply.streamQuery(sql, { filename: 'rows.csv', format: 'csv' }))
    app.get('/value', async (_request, reply) => await reply.streamQuery({ text: 'SELECT $1::int AS n', values: ['x'] }))
    app.get('/first', async (_request, reply) => await reply.streamQuery('SELECT 1 / (1 - i) AS n FROM generate_series(1, 3) AS i'))
  })
  for (const [path, code] of [['/?sql=SELECT+nothing', '42703'], ['/?sql=SELEC', '42601'], ['/value', '22P02'], ['/first', '22012']] as const) {
    const reply = await app.inject(path)
    t.match([reply.statusCode, reply.json()], [500, { code }], path)
    t.match(reply.headers, { 'content-type': /^application\/json/, 'content-disposition': undefined })
  }
  let acquired = 0
  pool.on('acquire', () => { acquired++ })
  t.match(await app.inject({ method: 'HEAD', url: '/?sql=SELECT+pg_sleep(20)' }), {
    statusCode: 200, body: '', headers: { 'content-type': 'text/csv; charset=utf-8; header=present', 'content-disposition': 'attachment; filename="rows.csv"' }
  })
  t.equal(acquired, 0)
})

t.test('a database that is away is 503, and a name of a pool that there is not is told', async (t) => {
  const { app } = await buildApp(t, 'postgres://nobody@127.0.0.1:1/none', (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery('SELECT 1'))
    app.get('/other', async (_request, reply) => await reply.streamQuery('SELECT 1', { pool: 'reads' }))
    app.get('/off', { config: { streamReply: false } }, async (_request, reply) => await reply.streamQuery('SELECT 1'))
  })
  t.match(await app.inject('/'), { statusCode: 503, headers: { 'retry-after': '1' } })
  t.match((await app.inject('/other')).json(), { message: /expected the name of a pool: main, got "reads"/ })
  t.equal((await app.inject('/off')).statusCode, 500)
})

t.test('when the app closes, replies may end for a while, then they break off, and their connections are back', async (t) => {
  const { url } = await usePostgres(t)
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  const { app } = await buildApp(t, url, (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery(LARGE))
  }, { pools: { main: pool }, closeTimeout: '200ms' })
  const port = await listen(app)
  const socket = await get(port, '/')
  await eventually(() => app.streamReply.stats().running === 1)
  await app.close()
  t.match(app.streamReply.stats(), { running: 0, failed: 1 })
  await pool.end()
  socket.destroy()
})

t.test('when the app has closed, a reply of inject that nobody reads on has given its connection back', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery(LARGE, { format: 'json' }))
  })
  const reply = await app.inject({ url: '/', payloadAsStream: true })
  const read = reply.stream().on('error', () => {})
  await once(read, 'readable')
  await app.close()
  await eventually(() => app.streamReply.stats().running === 0 && pool.idleCount === pool.totalCount)
  t.match(app.streamReply.stats(), { complete: 0, failed: 1 })
})

t.test('a response schema leaves out of every format what it does not name', async (t) => {
  const { url } = await usePostgres(t)
  const items = { type: 'object', properties: { id: { type: 'integer' }, name: { type: 'string' } } }
  const { app } = await buildApp(t, url, (app) => {
    app.addSchema({ $id: 'user', ...items })
    const sql = "SELECT 1 AS id, 'Ada' AS name, 'secret' AS password_hash"
    const send = (url: string, response: object): void => {
      app.get(url, { schema: { response } }, async (_request, reply) => await reply.streamQuery(sql))
      app.get(`${url}/rows`, { schema: { response } }, async (_request, reply) => await reply.streamRows([{ id: 1, name: 'Ada', password_hash: 'secret' }]))
    }
    send('/plain', { 200: { type: 'array', items } })
    send('/class', { '2xx': { type: 'array', items: { $ref: 'user#' } } })
    send('/content', { 200: { content: { 'application/json': { schema: { type: 'array', items } } } } })
    // As OpenAPI tells of a CSV.
    send('/described', { 200: { content: { 'text/csv': { schema: { type: 'string' } }, 'application/json': { schema: { type: 'array', items } } } } })
    send('/default', { default: { type: 'array', items } })
    const byStatus = { 200: { type: 'array', items }, 203: { type: 'array', items: { type: 'object', properties: { id: { type: 'integer' } } } } }
    app.get<{ Querystring: { status: number } }>('/by-status', { schema: { response: byStatus } }, async ({ query: { status } }, reply) => await reply.code(status).streamQuery(sql))
  })
  for (const path of ['/plain', '/class', '/content', '/described', '/default']) {
    for (const url of [path, `${path}/rows`]) {
      for (const [accept, body] of [['application/json', '[{"id":1,"name":"Ada"}\n]'], ['application/x-ndjson', '{"id":1,"name":"Ada"}\n'], ['text/csv', 'id,name\r\n1,Ada\r\n']] as const) {
        t.equal((await app.inject({ url, headers: { accept } })).body, body, `${url} as ${accept}`)
      }
    }
  }
  for (const [status, body] of [[200, 'id,name\r\n1,Ada\r\n'], [203, 'id\r\n1\r\n'], [200, 'id,name\r\n1,Ada\r\n']] as const) {
    t.equal((await app.inject({ url: `/by-status?status=${status}`, headers: { accept: 'text/csv' } })).body, body, `with ${status}`)
  }
  t.match(app.streamReply.stats().paths, { json: 0, copy: 0, cursor: 0 })
})

t.test('a watched pool takes a reply that lasts for no leak, and a line says which way it went', async (t) => {
  const { url } = await usePostgres(t)
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  const { stream, lines } = captureLog<Record<string, unknown>>()
  const { app } = await buildApp(t, url, (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery(LARGE))
    app.get('/guarded', { config: { poolHealth: { deadline: '5s' } } }, async (_request, reply) => await reply.streamQuery("SELECT set_config('a.b', 'c', false), nextval('numbers')"))
    app.get('/few', async (_request, reply) => await reply.streamQuery('SELECT 1 AS one'))
  }, { pools: { main: pool }, server: { logger: { level: 'debug', stream } }, before: async (app: FastifyInstance) => { await app.register(poolHealth, { pools: { main: pool }, leakThreshold: '100ms', logInterval: false }) } })
  const port = await listen(app)
  const socket = await get(port, '/')
  await eventually(() => app.streamReply.stats().running === 1)
  const client = await pool.connect()
  await eventually(() => app.poolHealth.status().main!.leaked === 1)
  client.release()
  socket.destroy()
  await eventually(() => app.streamReply.stats().running === 0 && pool.idleCount === pool.totalCount)
  t.match(app.poolHealth.status().main, { leaked: 1, leaking: 0 })
  t.equal((await app.inject('/few')).statusCode, 200)
  await pool.query('CREATE SEQUENCE numbers')
  t.match((await app.inject('/guarded')).json(), { statusCode: 500, code: 'FST_HEADROOM_STREAM_REPLY_STATEMENT' }, 'on a guarded route a database that refuses to write is not away')
  t.match(lines().filter(({ streamReply }) => streamReply !== undefined), [
    { level: 20, streamReply: { method: 'GET', route: '/', path: 'json', format: 'json', outcome: 'left' } },
    { level: 20, streamReply: { route: '/few', rows: 1, bytes: 12, outcome: 'complete' } }
  ])
  await app.close()
  await pool.end()
})

t.test('where a hook fails, or sends something else, the query ends and its connection is back', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/fails', { onSend: async () => { throw new Error('no') } }, async (_request, reply) => await reply.streamQuery(LARGE))
    app.get('/other', { onSend: async (_request, reply) => { reply.type('text/plain'); return 'other' } }, async (_request, reply) => await reply.streamQuery(LARGE))
  })
  t.equal((await app.inject('/fails')).statusCode, 500)
  t.equal((await app.inject('/other')).body, 'other')
  await eventually(() => app.streamReply.stats().running === 0 && pool.idleCount === pool.totalCount)
  t.match(app.streamReply.stats(), { failed: 2, left: 0 })
})

t.test('while a hook takes its time a reply can be late, or its client leave, and that is the end of this reply alone', async (t) => {
  const { url } = await usePostgres(t)
  const late = gate()
  const left = gate()
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/late', { onSend: async () => { await late.pass() } }, async (_request, reply) => await reply.streamQuery(LARGE, { deadline: '300ms' }))
    app.get('/left', { onSend: async () => { await left.pass() } }, async (_request, reply) => await reply.streamQuery(LARGE))
  })
  const port = await listen(app)
  const reply = fetch(`http://127.0.0.1:${port}/late`)
  await late.arrived()
  await eventually(() => app.streamReply.stats().failed === 1)
  late.open()
  t.equal((await reply).status, 504)
  const socket = await get(port, '/left')
  await left.arrived()
  socket.destroy()
  await eventually(() => app.streamReply.stats().left === 1)
  left.open()
  await eventually(() => pool.idleCount === pool.totalCount)
  t.match(app.streamReply.stats(), { running: 0, failed: 1, left: 1, complete: 0 })
})

t.test('what a hook keeps back, its client is not too slow for', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = await buildApp(t, url, (app) => {
    app.get('/', { onSend: async () => { await delay(500) } }, async (_request, reply) => await reply.streamQuery('SELECT 1 AS one', { minThroughput: '100kb', throughputWindow: '100ms' }))
  })
  t.match(await app.inject('/'), { statusCode: 200, body: '[{"one":1}\n]' })
})

t.test('what a hook sends in its place ends as it would, when this one is late', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = await buildApp(t, url, (app) => {
    app.get('/', {
      onSend: async () => Readable.from((async function * () {
        for (let count = 0; count < 10; count++) {
          yield 'other '
          await delay(40)
        }
      })())
    }, async (_request, reply) => await reply.streamQuery(LARGE, { deadline: '200ms' }))
  })
  const reply = await fetch(`http://127.0.0.1:${await listen(app)}/`)
  t.equal(await reply.text(), 'other '.repeat(10))
  t.match(app.streamReply.stats(), { running: 0, failed: 1 })
})

t.test('behind another reply on the same connection one can be late, and its client not too slow: that one is sent whole', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/first', async (_request, reply) => await reply.streamQuery(LARGE))
    app.get('/late', async (_request, reply) => await reply.streamQuery(LARGE, { deadline: '1s' }))
    app.get('/slow', async (_request, reply) => await reply.streamQuery(LARGE, { minThroughput: '100kb', throughputWindow: '200ms' }))
  })
  const port = await listen(app)
  for (const path of ['/late', '/slow']) {
    const socket = await get(port, '/first')
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await eventually(() => app.streamReply.stats().running === 2)
    // The first one stands still for longer than the other may take, or 64 KB last at that rate.
    await delay(1_500)
    t.equal(app.streamReply.stats().running, path === '/late' ? 1 : 2)
    const { replies, isOver } = await readAll(socket)
    t.equal(replies[0]?.slice(-7), '\r\n0\r\n\r\n')
    t.strictSame([replies.length, isOver], path === '/late' ? [1, true] : [2, false])
    await eventually(() => app.streamReply.stats().running === 0 && pool.idleCount === pool.totalCount)
  }
})

/** What comes on a connection until it is over, or until the second reply is there. */
async function readAll (socket: Socket): Promise<{ replies: string[], isOver: boolean }> {
  const pieces: string[] = []
  let tail = ''
  const repliesOf = (pieces: string[]): string[] => pieces.join('').split(/(?=HTTP\/1\.1 200)/)
  socket.setEncoding('latin1')
  return await new Promise((resolve) => {
    socket.once('close', () => { resolve({ replies: repliesOf(pieces), isOver: true }) })
    socket.on('data', (piece: string) => {
      pieces.push(piece)
      tail = (tail + piece.slice(-7)).slice(-7)
      if (tail !== '\r\n0\r\n\r\n' || repliesOf(pieces).length < 2) return
      resolve({ replies: repliesOf(pieces), isOver: false })
      socket.destroy()
    })
  })
}

t.test('where a query is not to be cancelled its connection is closed, by which the database finds out', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery('SELECT repeat(\'x\', 2000) AS text, pg_sleep(0.001) FROM generate_series(1, 1000000)', { cancel: 'destroy' }))
    app.get('/whole', async (_request, reply) => await reply.streamQuery('SELECT 1 AS one', { cancel: 'destroy' }))
  }, { max: 1 })
  t.strictSame((await app.inject('/whole')).json(), [{ one: 1 }])
  const { rows: [own] } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const socket = await get(await listen(app), '/')
  await eventually(() => app.streamReply.stats().running === 1)
  socket.destroy()
  await eventually(() => pool.totalCount === 0)
  let backends: unknown[] = [own]
  while (backends.length > 0) backends = await query(url, `SELECT pid FROM pg_stat_activity WHERE pid = ${own!.pid}`)
  t.strictSame((await app.inject('/whole')).json(), [{ one: 1 }], 'on another connection')
  t.match(app.streamReply.stats(), { complete: 2, left: 1 })
})
