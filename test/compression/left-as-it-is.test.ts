import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { decoded, PROTOCOLS } from '../helpers/http-client.js'
import { buildApp, TEXT } from './build-app.js'

const GZIP = { 'accept-encoding': 'gzip' }

const COMPRESSED = [
  'text/plain', 'text/html; charset=utf-8', 'text/event-stream', 'text/x-of-ours', 'TEXT/CSS', 'application/json', 'application/problem+json', 'application/x-ndjson',
  'application/ndjson', 'application/jsonl', 'application/json-seq', 'application/geo+json-seq', 'application/javascript', 'application/wasm', 'image/svg+xml', 'application/vnd.of-ours+xml', 'application/octet-stream'
]
const LEFT = ['image/png', 'image/jpeg', 'video/mp4', 'audio/mpeg', 'application/zip', 'application/gzip', 'font/woff2', 'application/x-of-ours']

function routes (app: FastifyInstance): void {
  app.get<{ Querystring: { type: string } }>('/type', async (request, reply) => reply.type(request.query.type).send(Buffer.from(TEXT)))
  app.get<{ Querystring: { type: string } }>('/type-of-stream', async (request, reply) => reply.type(request.query.type).send(Readable.from([TEXT])))
  const answer = (path: string, headers: Record<string, string>, status = 200, body: () => string | Readable = () => TEXT): void => {
    app.get(path, async (_request, reply) => reply.code(status).type('text/plain').headers(headers).send(body()))
  }
  answer('/encoded', { 'content-encoding': 'aws-chunked' })
  answer('/encoded-stream', { 'content-encoding': 'aws-chunked' }, 200, () => Readable.from([TEXT]))
  answer('/partial', { 'content-range': 'bytes 0-2639/9999' }, 206)
  answer('/206', {}, 206)
  answer('/ranged', { 'content-range': 'bytes 0-2639/9999' })
  answer('/no-transform', { 'cache-control': 'public, No-Transform, max-age=5' })
  answer('/no-transforms', { 'cache-control': 'x-no-transform-of-ours, max-age=5' })
  answer('/identity', { 'content-encoding': 'identity' })
  app.get('/204', async (_request, reply) => reply.code(204).send())
  answer('/empty', {}, 200, () => '')
  answer('/below', {}, 200, () => 'x'.repeat(1_023))
  answer('/at', {}, 200, () => 'x'.repeat(1_024))
  answer('/umlauts', {}, 200, () => 'ä'.repeat(512))
  answer('/short-stream', { 'content-length': '3' }, 200, () => Readable.from(['a', 'bc']))
  app.get('/no-type', async (_request, reply) => reply.send(Readable.from([TEXT])))
  app.get('/compress-false', { compress: false } as object, async () => TEXT)
  app.get('/off', { config: { compression: false } }, async () => TEXT)
  app.get('/filter', { config: { compression: { filter: (_request, reply) => reply.getHeader('x-secret') === undefined } } }, async (request, reply) => {
    if (request.headers['x-ask'] !== undefined) reply.header('x-secret', 'yes')
    return await reply.send(TEXT)
  })
  app.get('/failing-filter', { config: { compression: { filter: () => { throw new Error('broken') } } } }, async () => TEXT)
  app.get('/opt-out', { config: { compression: { allowOptOut: true } } }, async () => TEXT)
  app.get('/text', async () => TEXT)
  app.get('/any-size', { config: { compression: { threshold: 0 } } }, async () => 'x')
  app.get('/reflects', { config: { compression: { reflectsInput: true } } }, async (request, reply) => {
    if (request.headers['x-cookie'] !== undefined) reply.header('set-cookie', 'a=b')
    return await reply.send(TEXT)
  })
}

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: what a type says can be made smaller is compressed, all else is left as it is`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    for (const path of ['/type', '/type-of-stream']) {
      for (const [types, coding] of [[COMPRESSED, 'gzip'], [LEFT, undefined]] as const) {
        for (const type of types) {
          const answer = await request(`${path}?type=${encodeURIComponent(type)}`, { headers: GZIP })
          t.strictSame([answer.headers['content-encoding'], answer.headers.vary], [coding, coding && 'Accept-Encoding'], `${path} ${type}`)
          t.ok(String(decoded(answer)) === TEXT)
        }
      }
    }
  })

  t.test(`${protocol}: what nobody may change, and what is too small, is left as it is`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    const cases: Array<[path: string, coding: string | undefined, vary: string | undefined, more?: Record<string, string>]> = [
      ['/encoded', 'aws-chunked', undefined], ['/encoded-stream', 'aws-chunked', undefined], ['/partial', undefined, undefined], ['/206', undefined, undefined], ['/ranged', undefined, undefined],
      ['/no-transform', undefined, undefined], ['/no-transforms', 'gzip', 'Accept-Encoding'], ['/identity', 'gzip', 'Accept-Encoding'], ['/204', undefined, undefined],
      ['/empty', undefined, 'Accept-Encoding'], ['/below', undefined, 'Accept-Encoding'], ['/at', 'gzip', 'Accept-Encoding'], ['/umlauts', 'gzip', 'Accept-Encoding'],
      ['/short-stream', undefined, 'Accept-Encoding'], ['/no-type', undefined, undefined], ['/any-size', 'gzip', 'Accept-Encoding'],
      ['/compress-false', undefined, undefined], ['/off', undefined, undefined],
      ['/filter', 'gzip', 'Accept-Encoding'], ['/filter', undefined, 'Accept-Encoding', { 'x-ask': '1' }], ['/failing-filter', undefined, 'Accept-Encoding'],
      ['/opt-out', 'gzip', 'Accept-Encoding, X-No-Compression'], ['/opt-out', undefined, 'Accept-Encoding, X-No-Compression', { 'x-no-compression': '1' }],
      ['/text', 'gzip', 'Accept-Encoding', { 'x-no-compression': '1' }],
      ['/reflects', 'gzip', 'Accept-Encoding'], ['/reflects', undefined, 'Accept-Encoding', { authorization: 'Basic eDp5' }], ['/reflects', undefined, 'Accept-Encoding', { 'x-cookie': '1' }]
    ]
    for (const [path, coding, vary, more] of cases) {
      const { headers, body } = await request(path, { headers: { ...GZIP, ...more } })
      t.strictSame([headers['content-encoding'], headers.vary], [coding, vary], `${path} ${JSON.stringify(more ?? {})}`)
      if (headers['content-length'] !== undefined) t.equal(headers['content-length'], String(body.length), `${path}: length`)
      const head = await request(path, { method: 'HEAD', headers: { ...GZIP, ...more } })
      t.strictSame(head.headers, headers, `${path}: HEAD says the same`)
    }
  })
}

t.test('a filter that fails is logged, and the reply is sent as it is', async (t) => {
  const { request, errors } = await buildApp(t, { routes })
  t.equal(String((await request('/failing-filter', { headers: GZIP })).body), TEXT)
  t.match(errors(), [{ msg: /^compression: the filter/, err: { message: 'broken' } }])
})

t.test('a small reply is compressed where the client takes nothing else', async (t) => {
  const { request } = await buildApp(t, { routes })
  const answer = await request('/below', { headers: { 'accept-encoding': 'gzip, identity;q=0' } })
  t.strictSame([answer.headers['content-encoding'], decoded(answer).length], ['gzip', 1_023])
  t.equal((await request('/opt-out', { headers: { 'accept-encoding': 'gzip, identity;q=0', 'x-no-compression': '1' } })).headers['content-encoding'], 'gzip')
})

t.test('the types that are compressed can be chosen, by an expression or a function', async (t) => {
  for (const customTypes of [/png/g, (type: string) => type === 'image/png']) {
    const { request } = await buildApp(t, { options: { customTypes }, routes })
    const of = async (type: string): Promise<unknown> => (await request(`/type?type=${type}`, { headers: GZIP })).headers['content-encoding']
    t.strictSame([await of('image/png'), await of('image/png'), await of('application/json')], ['gzip', 'gzip', undefined])
  }
})

t.test('Vary keeps what the handler says, and says nothing twice', async (t) => {
  const { request } = await buildApp(t, {
    routes: (app) => { app.get<{ Querystring: { vary: string } }>('/', async (request, reply) => reply.header('vary', request.query.vary).send(TEXT)) }
  })
  for (const [said, sent] of [['Origin', 'Origin, Accept-Encoding'], ['accept-encoding', 'accept-encoding'], ['*', '*'], ['Origin,Accept-Encoding', 'Origin,Accept-Encoding'], ['', 'Accept-Encoding']] as const) {
    for (const encoding of ['gzip', 'identity']) t.equal((await request(`/?vary=${said}`, { headers: { 'accept-encoding': encoding } })).headers.vary, sent, `${said} ${encoding}`)
  }
})
