import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { ownNginx } from '../helpers/nginx.js'
import { project } from '../helpers/project.js'
import { query, usePostgres } from '../helpers/postgres.js'
import { buildApp, type BuiltApp } from './build-app.js'

// In the list of what is selected it makes its rows as they are asked for.
const SQL = 'SELECT i, repeat(\'x\', 200) AS text FROM (SELECT generate_series(1, 2000000) AS i) AS numbers'

const [KEY, CERTIFICATE] = ['key', 'cert'].map((name) => readFileSync(join(project, `test/stream-reply/fixtures/tls/${name}.pem`))) as [Buffer, Buffer]

const TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"

interface Reply {
  bytes: number
  /** How the reply ended, as the client was told. */
  end: 'complete' | 'broken'
  /** Its last bytes. */
  tail: string
}

/** As a client of HTTP/1.0, to whom the end of the connection is the end of the body, or of 1.1. */
async function overHttp1 (port: number, version: '1.0' | '1.1', path: string, onBytes: () => void, ca?: Buffer): Promise<Reply> {
  const options = { port, host: '127.0.0.1', allowHalfOpen: true }
  const socket = ca === undefined ? connect(options) : tls.connect({ ...options, ca })
  await once(socket, ca === undefined ? 'connect' : 'secureConnect')
  socket.write(`GET ${path} HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`)
  let bytes = 0
  let tail = ''
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    tail = (tail + chunk.subarray(-5).toString('latin1')).slice(-5)
    onBytes()
  })
  return await new Promise((resolve) => {
    socket.once('error', () => { resolve({ bytes, end: 'broken', tail }) })
    socket.once('end', () => {
      if (version === '1.1') resolve({ bytes, end: tail === '0\r\n\r\n' ? 'complete' : 'broken', tail })
      // libuv can tell of an end where the last read had data and the connection was reset behind it. To one that was reset nothing can be written.
      else socket.write('?', (error) => { resolve({ bytes, end: error == null ? 'complete' : 'broken', tail }) })
    })
  })
}

async function overHttp2 (port: number, path: string, onBytes: () => void): Promise<Reply> {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  const stream = session.request({ ':path': path })
  let bytes = 0
  let tail = ''
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    tail = (tail + chunk.subarray(-5).toString('latin1')).slice(-5)
    onBytes()
  })
  return await new Promise((resolve) => {
    const end = (reply: Reply): void => {
      session.close()
      resolve(reply)
    }
    stream.once('error', () => { end({ bytes, end: 'broken', tail }) })
    stream.once('close', () => { end({ bytes, end: stream.rstCode === 0 ? 'complete' : 'broken', tail }) })
  })
}

type Get = (port: number, path: string, onBytes: () => void) => Promise<Reply>

const PROTOCOLS: Record<string, Get> = {
  'HTTP/1.0': async (port, path, onBytes) => await overHttp1(port, '1.0', path, onBytes),
  'HTTP/1.1': async (port, path, onBytes) => await overHttp1(port, '1.1', path, onBytes),
  'HTTP/1.0 in TLS': async (port, path, onBytes) => await overHttp1(port, '1.0', path, onBytes, CERTIFICATE),
  'HTTP/2': overHttp2
}

/** Where it is not one of HTTP/1. */
const SERVERS: Record<string, object> = { 'HTTP/1.0 in TLS': { https: { key: KEY, cert: CERTIFICATE } }, 'HTTP/2': { http2: true } }

/** Gets each format three times, at random places, early and late, of a database that goes away in the middle of it. */
async function getBroken (get: Get, port: number, url: string, check: (reply: Reply, path: string) => void): Promise<void> {
  for (const path of ['/json', '/csv', '/ndjson']) {
    for (const least of [1, 3, 40]) {
      const after = least + Math.floor(Math.random() * 3)
      let seen = 0
      const reply = await get(port, path, () => {
        if (++seen !== after) return
        void query(url, TERMINATE)
      })
      check(reply, path)
    }
  }
}

async function startApp (t: Test, server: object = {}): Promise<BuiltApp & { url: string, port: number }> {
  const { url } = await usePostgres(t)
  const add = (app: FastifyInstance): void => {
    app.get('/json', async (_request, reply) => await reply.streamQuery(SQL))
    app.get('/csv', async (_request, reply) => await reply.streamQuery(SQL, { format: 'csv' }))
    app.get('/ndjson', async (_request, reply) => await reply.streamQuery({ text: `${SQL} WHERE i > $1`, values: [0] }, { format: 'ndjson' }))
    app.get('/record', async (_request, reply) => await reply.streamQuery(SQL, { format: 'ndjson', errorRecord: true }))
    app.get('/whole', async (_request, reply) => await reply.streamQuery('SELECT 1 AS one'))
  }
  const built = await buildApp(t, url, add, { server })
  await built.app.listen({ host: '127.0.0.1', port: 0 })
  return { ...built, url, port: (built.app.server.address() as AddressInfo).port }
}

for (const [protocol, get] of Object.entries(PROTOCOLS)) {
  t.test(`over ${protocol} a reply whose connection to Postgres breaks never looks complete`, async (t) => {
    const { app, pool, url, port } = await startApp(t, SERVERS[protocol])
    await getBroken(get, port, url, ({ end, bytes }, path) => { t.equal(end, 'broken', `${path}, ${bytes} bytes`) })
    t.match(await get(port, '/whole', () => {}), { end: 'complete' })
    t.match(app.streamReply.stats(), { running: 0, failed: 9, complete: 1, left: 0 })
    t.equal(pool.totalCount, pool.idleCount)
  })
}

/** nginx asks over HTTP/1.0, where the end of the connection is the end of the body, unless that is reset. */
const RESET = /Connection reset by peer\) while reading upstream/g

t.test('behind an nginx it never looks complete to a client of HTTP/1.1 either', async (t) => {
  const { app, pool, url, port: upstreamPort } = await startApp(t)
  const nginx = await ownNginx(t, { upstreamPort })
  const get = PROTOCOLS['HTTP/1.1']!
  await getBroken(get, nginx.port, url, ({ end, bytes }, path) => { t.equal(end, 'broken', `${path}, ${bytes} bytes`) })
  t.match(await get(nginx.port, '/whole', () => {}), { end: 'complete' })
  t.match(app.streamReply.stats(), { running: 0, failed: 9, complete: 1, left: 0 })
  t.equal(pool.totalCount, pool.idleCount)
  t.equal((await nginx.log()).match(RESET)?.length, 9)
})

t.test('a record of the error gets through nginx, which is asked not to keep back what it has', async (t) => {
  const { url, port: upstreamPort } = await startApp(t)
  const nginx = await ownNginx(t, { upstreamPort })
  let seen = 0
  const { end, tail } = await PROTOCOLS['HTTP/1.1']!(nginx.port, '/record', () => { if (++seen === 5) void query(url, TERMINATE) })
  t.equal(end, 'broken')
  t.match(tail, /\}\}\n/, 'of the record; a row ends in one brace')
})

// To such a client nginx ends every reply alike, and none of its directives changes that: only its log tells, and what the body itself has at its end.
t.test('behind an nginx to a client of HTTP/1.0 the brackets of JSON stay open, and each reply is an error in its log', async (t) => {
  const { app, url, port: upstreamPort } = await startApp(t)
  const nginx = await ownNginx(t, { upstreamPort })
  const get = PROTOCOLS['HTTP/1.0']!
  await getBroken(get, nginx.port, url, ({ tail, bytes }, path) => {
    if (path === '/json') t.notMatch(tail, /\]$/, `${bytes} bytes`)
  })
  t.match(await get(nginx.port, '/whole', () => {}), { tail: /\]$/ })
  t.match(app.streamReply.stats(), { running: 0, failed: 9, complete: 1, left: 0 })
  t.equal((await nginx.log()).match(RESET)?.length, 9)
})
