import http from 'node:http'
import { Readable } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyServerOptions, type LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import streamReply, { type RowsOf, type StreamOptions, type StreamReplyOptions } from '../../plugins/stream-reply/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { captureLog } from '../helpers/log-capture.js'

const ROWS = [{ id: 1, name: 'a' }, { id: 2, name: 'b,"c"' }, { id: 3, name: '' }]

/** An app with the plugin, and no pool. */
async function buildApp (t: Test, add: (app: FastifyInstance) => void, options: StreamReplyOptions = {}, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app = Fastify(server)
  t.teardown(() => app.close())
  await app.register(streamReply, options)
  add(app)
  await app.ready()
  return app
}

/** What one route gives that sends these rows. */
async function sent (t: Test, rows: RowsOf, { accept, ...options }: StreamOptions & { accept?: string } = {}): Promise<LightMyRequestResponse> {
  const app = await buildApp(t, (app) => { app.get('/', async (_request, reply) => await reply.streamRows(rows, options)) })
  return await app.inject({ url: '/', headers: accept === undefined ? {} : { accept } })
}

/** All of a reply that comes, as it comes: what waits to be read is dropped when the connection is reset. */
async function readAll (url: string, headers: Record<string, string> = {}): Promise<{ text: string, isComplete: boolean }> {
  return await new Promise((resolve) => {
    let text = ''
    let isComplete = false
    http.get(url, { headers, agent: false }, (response) => {
      response.on('data', (bytes: Buffer) => { text += String(bytes) })
      response.on('end', () => { isComplete = response.complete })
      response.on('error', () => {})
    }).on('error', () => {}).on('close', () => { resolve({ text, isComplete }) })
  })
}

for (const [name, rows] of Object.entries({
  'an array': ROWS,
  'a set': new Set(ROWS),
  'an async generator': async function * () { yield * ROWS },
  'a function': () => ROWS,
  'an async function': async () => ROWS
} satisfies Record<string, RowsOf>)) {
  t.test(`${name} of rows is a reply in the format the client asks for`, async (t) => {
    const app = await buildApp(t, (app) => { app.get('/', async (_request, reply) => await reply.streamRows(rows)) })
    for (const accept of [undefined, '*/*', 'application/json']) {
      const json = await app.inject({ url: '/', headers: accept === undefined ? {} : { accept } })
      t.match(json, { statusCode: 200, headers: { 'content-type': 'application/json; charset=utf-8', vary: 'Accept' } })
      t.strictSame(json.json(), ROWS)
      t.notOk(json.headers['content-disposition'])
    }
    const lines = await app.inject({ url: '/', headers: { accept: 'application/x-ndjson' } })
    t.match(lines.headers, { 'content-type': 'application/x-ndjson; charset=utf-8', vary: 'Accept' })
    t.equal(lines.body, ROWS.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const csv = await app.inject({ url: '/', headers: { accept: 'text/csv' } })
    t.match(csv.headers, { 'content-type': 'text/csv; charset=utf-8; header=present', vary: 'Accept' })
    t.equal(csv.body, 'id,name\r\n1,a\r\n2,"b,""c"""\r\n3,""\r\n')
    t.match(app.streamReply.stats(), { running: 0, complete: 5, failed: 0, left: 0, rows: 15, paths: { iterable: 5 } })
  })
}

t.test('no rows are an empty array, no lines, and no header that nobody knows', async (t) => {
  t.equal((await sent(t, [])).body, '[]')
  t.equal((await sent(t, [], { format: 'ndjson' })).body, '')
  t.equal((await sent(t, [], { format: 'csv' })).body, '')
  t.equal((await sent(t, [], { format: 'csv', columns: ['id'] })).body, 'id\r\n')
})

t.test('a client that accepts no format gets 406, and its rows are never asked for', async (t) => {
  const response = await sent(t, () => { t.fail('is not called'); return [] }, { accept: 'text/html, application/json;q=0' })
  t.match(response, { statusCode: 406, headers: { vary: 'Accept' } })
  t.match(response.json(), { code: 'FST_HEADROOM_STREAM_REPLY_NOT_ACCEPTABLE' })
})

t.test('a format of the call is sent whatever the client accepts, and does not vary', async (t) => {
  const response = await sent(t, ROWS, { format: 'csv', accept: 'text/html' })
  t.match(response, { statusCode: 200, headers: { 'content-type': /^text\/csv/ } })
  t.notOk(response.headers.vary)
})

t.test('a filename has the client save it; that of a spreadsheet has its formulas guarded', async (t) => {
  const rows = [{ a: '=1+1', n: -1 }]
  const saved = await sent(t, rows, { format: 'csv', filename: 'größe.CSV' })
  t.equal(saved.headers['content-disposition'], "attachment; filename=\"gr__e.CSV\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.CSV")
  t.equal(saved.body, "a,n\r\n'=1+1,-1\r\n")
  t.equal((await sent(t, rows, { format: 'csv', filename: 'a.csv', formulas: 'keep' })).body, 'a,n\r\n=1+1,-1\r\n')
  t.equal((await sent(t, rows, { format: 'csv', filename: 'a.csv. ' })).body, "a,n\r\n'=1+1,-1\r\n")
  t.equal((await sent(t, rows, { format: 'csv', filename: 'a.txt' })).body, 'a,n\r\n=1+1,-1\r\n')
  t.equal((await sent(t, rows, { format: 'csv', formulas: 'guard' })).body, "a,n\r\n'=1+1,-1\r\n")
})

t.test('columns choose what is sent, in their order and by their titles', async (t) => {
  t.equal((await sent(t, ROWS.slice(0, 1), { columns: ['name', 'id'] })).body, '[{"name":"a","id":1}\n]')
  t.equal((await sent(t, ROWS.slice(0, 1), { columns: { name: 'Name', id: 'Number' }, format: 'csv' })).body, 'Name,Number\r\na,1\r\n')
})

t.test('what the response schema of the route leaves out is in no format', async (t) => {
  const app = await buildApp(t, (app) => {
    const row = { type: 'object', properties: { name: { type: 'string' }, id: { type: 'integer' } } }
    app.get('/', { schema: { response: { 200: { type: 'array', items: row } } } }, async (_request, reply) => await reply.streamRows([{ secret: 'x', id: 1, name: 'a' }]))
  })
  for (const [accept, body] of [['application/json', '[{"name":"a","id":1}\n]'], ['application/x-ndjson', '{"name":"a","id":1}\n'], ['text/csv', 'name,id\r\na,1\r\n']] as const) {
    t.equal((await app.inject({ url: '/', headers: { accept } })).body, body)
  }
})

t.test('an NDJSON that is complete says so where that is asked for', async (t) => {
  t.equal((await sent(t, ROWS.slice(0, 1), { format: 'ndjson', endRecord: true })).body, '{"id":1,"name":"a"}\n{"end":{"rows":1}}\n')
  t.equal((await sent(t, [], { format: 'ndjson', endRecord: true })).body, '{"end":{"rows":0}}\n')
  t.equal((await sent(t, [], { endRecord: true })).body, '[]', 'JSON has no place for it')
})

t.test('a source that throws before its first row is an error like any other, in every format', async (t) => {
  const { stream, lines } = captureLog()
  const broken = Object.assign(new Error('broken'), { statusCode: 502 })
  const sources: Record<string, RowsOf> = {
    '/generator': async function * () { throw new Error('broken') },
    '/function': () => { throw new Error('broken') },
    '/rejects': async () => await Promise.reject(new Error('broken')),
    '/own-status': () => { throw broken },
    '/no-error': () => { throw null }, // eslint-disable-line no-throw-literal, @typescript-eslint/only-throw-error
    '/no-rows': (() => undefined) as unknown as RowsOf,
    '/bad-row': [1n] as unknown as RowsOf
  }
  const app = await buildApp(t, (app) => {
    for (const [path, rows] of Object.entries(sources)) app.get(path, async (_request, reply) => await reply.streamRows(rows, { filename: 'a.csv', errorRecord: true }))
  }, {}, { logger: { stream, level: 'error' } })
  for (const path of Object.keys(sources)) {
    for (const accept of ['application/json', 'application/x-ndjson', 'text/csv']) {
      const response = await app.inject({ url: path, headers: { accept } })
      t.match(response, { statusCode: path === '/own-status' ? 502 : 500, headers: { 'content-type': 'application/json; charset=utf-8', vary: 'Accept' } }, `${path} as ${accept}`)
      t.notOk(response.headers['content-disposition'])
      t.match(response.json(), { statusCode: response.statusCode, message: String })
    }
  }
  t.match(app.streamReply.stats(), { running: 0, complete: 0, failed: 0 })
  t.equal(lines().length, 21)
})

t.test('a source that throws after some rows breaks the reply off, after those rows', async (t) => {
  const { stream, lines } = captureLog()
  const failing = async function * (): AsyncGenerator<object> {
    yield { i: 1 }
    yield { i: 2 }
    throw new Error('broken')
  }
  const app = await buildApp(t, (app) => {
    app.get('/', async (_request, reply) => await reply.streamRows(failing))
    app.get('/said', async (_request, reply) => await reply.streamRows(failing, { errorRecord: true, format: 'ndjson' }))
  }, {}, { logger: { stream, level: 'error' }, forceCloseConnections: true })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const accept of ['application/json', 'application/x-ndjson', 'text/csv']) t.match(await readAll(address, { accept }), { isComplete: false }, accept)
  const { text, isComplete } = await readAll(`${address}/said`)
  t.notOk(isComplete)
  t.equal(text, '{"i":1}\n{"i":2}\n{"error":{"message":"The rows are not complete"}}\n')
  await eventually(() => app.streamReply.stats().failed === 4)
  t.match(app.streamReply.stats(), { running: 0, complete: 0, left: 0, rows: 8 })
  t.match(lines(), Array.from({ length: 4 }, () => ({ msg: 'a streamed reply broke off', streamReply: { rows: 2, outcome: 'failed', path: 'iterable' }, error: { message: 'broken' } })))
})

t.test('by inject too a reply that breaks off is not taken for a complete one', async (t) => {
  const app = await buildApp(t, (app) => {
    app.get('/', async (_request, reply) => await reply.streamRows(async function * () {
      yield { i: 1 }
      throw new Error('broken')
    }))
  })
  await t.rejects(app.inject('/'))
  t.match(app.streamReply.stats(), { running: 0, complete: 0, failed: 1 })
})

t.test('a function whose client leaves is told, and a generator is ended', async (t) => {
  const waiting = gate()
  let isOver = false
  let given: AbortSignal | undefined
  const app = await buildApp(t, (app) => {
    app.get('/', async (_request, reply) => await reply.streamRows(async function * ({ signal }) {
      given = signal
      try {
        for (let i = 0; ; i++) {
          yield { i }
          await waiting.pass()
        }
      } finally {
        isOver = true
      }
    }))
  }, {}, { forceCloseConnections: true })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const controller = new AbortController()
  await fetch(address, { signal: controller.signal })
  await waiting.arrived()
  controller.abort()
  await eventually(() => given?.aborted === true)
  waiting.open()
  await eventually(() => isOver)
  t.match(app.streamReply.stats(), { running: 0, left: 1, failed: 0 })
})

t.test('a reply that has not begun by its deadline is 504, whether its function looks at the signal or not', async (t) => {
  const forever = gate<object[]>()
  t.teardown(() => { forever.open([]) })
  const app = await buildApp(t, (app) => {
    app.get('/function', async (_request, reply) => await reply.streamRows(() => forever.pass()))
    app.get('/generator', async (_request, reply) => await reply.streamRows(async function * () { yield * await forever.pass() }))
  }, { deadline: 20 }, { forceCloseConnections: true })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const path of ['/function', '/generator']) {
    const response = await fetch(`${address}${path}`)
    t.equal(response.status, 504, path)
    t.match(await response.json(), { code: 'FST_HEADROOM_STREAM_REPLY_DEADLINE' })
  }
})

t.test('HEAD has the headers of the reply, and asks for no rows', async (t) => {
  const app = await buildApp(t, (app) => {
    app.get('/', async (_request, reply) => await reply.streamRows(() => { t.fail('is not called'); return [] }, { filename: 'a.csv' }))
  })
  const response = await app.inject({ method: 'HEAD', url: '/', headers: { accept: 'text/csv' } })
  t.match(response, { statusCode: 200, headers: { 'content-type': /^text\/csv/, 'content-disposition': 'attachment; filename="a.csv"', vary: 'Accept' } })
  t.equal(response.body, '')
})

t.test('a stream of rows is destroyed where none is asked for, and where it keeps the reply waiting', async (t) => {
  const streams: Readable[] = []
  const made = gate<Readable>()
  // As a stream of a query, it holds a connection until it is destroyed, and may have nothing for long.
  const stream = (): Readable => {
    const made = new Readable({ objectMode: true, read () {} })
    streams.push(made)
    return made
  }
  const app = await buildApp(t, (app) => {
    app.get('/', async (_request, reply) => await reply.streamRows(stream()))
    app.get('/wrong', async (_request, reply) => await reply.streamRows(stream(), { format: 'xml' as 'csv' }))
    app.get('/made-late', async (_request, reply) => await reply.streamRows(() => made.pass()))
  }, { deadline: 20 }, { forceCloseConnections: true })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const status = async (path: string, init?: RequestInit): Promise<number> => (await fetch(`${address}${path}`, init)).status
  t.equal(await status('/', { method: 'HEAD' }), 200)
  t.equal(await status('/', { headers: { accept: 'image/png' } }), 406)
  t.equal(await status('/wrong'), 500)
  t.equal(await status('/'), 504)
  t.equal(await status('/made-late'), 504)
  made.open(stream())
  await eventually(() => streams.length === 5 && streams.every(({ destroyed }) => destroyed))
})

t.test('options that are wrong are said, at the call', async (t) => {
  for (const options of [{ format: 'xml' }, { columns: [] }, { columns: ['a', 'a'] }, { columns: { a: 1 } }, { formulas: 'run' }, { pool: 'main' }, { filename: 1 }]) {
    const response = await sent(t, ROWS, options as StreamOptions)
    t.match(response, { statusCode: 500 })
    t.match(response.json(), { code: 'FST_HEADROOM_STREAM_REPLY_OPTION' }, JSON.stringify(options))
  }
})
