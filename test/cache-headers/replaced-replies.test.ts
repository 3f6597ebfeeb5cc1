import fastify, { type FastifyInstance } from 'fastify'
import { createReadStream } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import cacheHeaders, { type Version } from '../../plugins/cache-headers/index.js'
import compression from '../../plugins/compression/index.js'

/** Of the payload where there is one, so that what stands in its place has none. */
const OF_PAYLOAD: Version = (_request, payload) => payload === undefined ? 'v7' : `v${payload.version}`
const AT_ONCE: Version = () => 'v7'

t.test('what an error handler answers with in the place of a reply has not its version, however it failed', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(cacheHeaders, { etag: false })
  app.setErrorHandler(async (_error, _request, reply) => reply.code(200).send({ version: 7, note: 'later' }))
  const failing: Record<string, (url: string, version: Version) => void> = {
    'a throw': (url, version) => app.get(url, { config: { cacheHeaders: { version } } }, async () => { throw new Error('no') }),
    'an error that is sent': (url, version) => app.get(url, { config: { cacheHeaders: { version } } }, (_request, reply) => { reply.send(new Error('no')) }),
    'an error that is sent later': (url, version) => app.get(url, { config: { cacheHeaders: { version } } }, (_request, reply) => { setImmediate(() => { reply.send(new Error('no')) }) }),
    'a hook': (url, version) => app.get(url, {
      config: { cacheHeaders: { version } },
      preSerialization: async (_request, _reply, payload) => { if (!('note' in (payload as object))) throw new Error('no') }
    }, async () => ({ version: 7 })),
    'a schema': (url, version) => app.get(url, {
      config: { cacheHeaders: { version } },
      schema: { response: { 200: { type: 'object', required: ['note'], properties: { note: { type: 'string' }, version: { type: 'integer' } } } } }
    }, async () => ({ version: 7 }))
  }
  for (const [index, title] of Object.keys(failing).entries()) {
    for (const [kind, version] of Object.entries({ OF_PAYLOAD, AT_ONCE })) {
      const url = `/${index}-${kind}`
      failing[title]!(url, version)
    }
  }
  for (const [index, title] of Object.keys(failing).entries()) {
    for (const kind of ['OF_PAYLOAD', 'AT_ONCE']) {
      const { statusCode, headers, body } = await app.inject(`/${index}-${kind}`)
      t.match([statusCode, headers.etag, body], [200, undefined, /later/], `${title}, ${kind}`)
    }
  }
})

t.test('a thenable that is no Promise is waited for, and its value has the version', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(cacheHeaders)
  const query = { then: (resolve: (value: unknown) => void) => { resolve({ version: 8 }) } }
  app.get('/', { config: { cacheHeaders: { version: OF_PAYLOAD } } }, (() => query) as never)
  t.match(await app.inject('/'), { statusCode: 200, headers: { etag: '"v8"' }, body: '{"version":8}' })
})

t.test('a stream that fails while its version is asked for is the error that it would have been', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(cacheHeaders)
  app.get('/', { config: { cacheHeaders: { version: async (_request, payload) => { if (payload !== undefined) await delay(20); return 'v1' } } } }, async (_request, reply) =>
    reply.type('text/plain').send(createReadStream('/nonexistent')))
  t.match(await app.inject('/'), { statusCode: 500, headers: { etag: undefined } })
})

t.test('a 412 of a read, and a 406, say nothing of the payload in whose place they are', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(cacheHeaders)
  await app.register(compression)
  app.get('/', async (_request, reply) => reply.headers({
    etag: '"v"', 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT', 'content-disposition': 'attachment', 'accept-ranges': 'bytes', 'content-language': 'de'
  }).type('text/plain').send('x'.repeat(2_000)))
  const gone = { etag: undefined, 'last-modified': undefined, 'content-disposition': undefined, 'accept-ranges': undefined, 'content-language': undefined, 'content-encoding': undefined }
  t.match(await app.inject({ url: '/', headers: { 'if-match': '"other"', 'accept-encoding': 'gzip' } }), { statusCode: 412, headers: gone })
  t.match(await app.inject({ url: '/', headers: { 'accept-encoding': '*;q=0' } }), { statusCode: 406, headers: gone })
  // Whoever is refused the reply has not what is in it.
  for (const condition of [{ 'if-none-match': '*' }, { 'if-modified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' }]) {
    t.equal((await app.inject({ url: '/', headers: { 'accept-encoding': '*;q=0', ...condition } })).statusCode, 406)
  }
})

t.test('a reply with trailers is sent: a 304 could not have them', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(cacheHeaders)
  const trailed = (app: FastifyInstance): void => {
    app.get('/after', async (_request, reply) => reply.header('etag', '"t"').trailer('x-sum', async () => 'abc').send('text'))
    app.get('/before', { config: { cacheHeaders: { version: () => 't' } }, onRequest: async (_request, reply) => { reply.trailer('x-sum', async () => 'abc') } }, async () => 'text')
    app.get('/without', { config: { cacheHeaders: { version: () => 't' } } }, async () => 'text')
  }
  trailed(app)
  for (const [url, status] of [['/after', 200], ['/before', 200], ['/without', 304]] as const) t.equal((await app.inject({ url, headers: { 'if-none-match': '"t"' } })).statusCode, status, url)
})
