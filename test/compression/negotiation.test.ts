import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { decoded, PROTOCOLS } from '../helpers/http-client.js'
import { buildApp, ENCODINGS, LONG_TEXT, TEXT } from './build-app.js'

/** Every way that a handler has of answering with a text. */
const WAYS: Array<[path: string, answer: (text: string) => unknown, isStream: boolean]> = [
  ['/text', (text) => text, false],
  ['/buffer', (text) => Buffer.from(text), false],
  ['/array', (text) => new Uint8Array(Buffer.from(text)), false],
  ['/json', (text) => ({ text }), false],
  ['/stream', (text) => Readable.from(text.match(/.{1,1000}/gs)!), true],
  ['/buffers', (text) => Readable.from(text.match(/.{1,1000}/gs)!.map((part) => Buffer.from(part))), true],
  ['/response', (text) => new Response(text, { headers: { 'content-type': 'text/plain; charset=utf-8' } }), true],
  ['/web-stream', (text) => new Response(text).body, true]
]

function routes (app: FastifyInstance): void {
  for (const [size, text] of [['', TEXT], ['/long', LONG_TEXT]] as const) {
    for (const [path, answer] of WAYS) {
      app.get(`${size}${path}`, async (_request, reply) => {
        if (path !== '/json' && path !== '/response') reply.type('text/plain; charset=utf-8')
        return await reply.send(answer(text))
      })
    }
  }
}

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: each way of answering comes in each coding, with its exact length where that is known, and decodes to the same`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    for (const [size, text] of [['', TEXT], ['/long', LONG_TEXT]] as const) {
      for (const [path, , isStream] of WAYS) {
        for (const encoding of [...ENCODINGS, 'identity']) {
          const title = `${size}${path} ${encoding}`
          const answer = await request(size + path, { headers: { 'accept-encoding': encoding } })
          const { headers, body } = answer
          t.strictSame([answer.status, headers['content-encoding'], headers.vary], [200, encoding === 'identity' ? undefined : encoding, 'Accept-Encoding'], title)
          t.equal(headers['content-length'], isStream ? undefined : String(body.length), `${title}: length`)
          t.ok(String(decoded(answer)) === (path === '/json' ? JSON.stringify({ text }) : text), `${title}: body`)
          if (encoding !== 'identity') t.ok(body.length < text.length / 2, `${title}: it is smaller`)
          const head = await request(size + path, { method: 'HEAD', headers: { 'accept-encoding': encoding } })
          t.strictSame([head.status, head.headers, head.body.length], [200, headers, 0], `${title}: HEAD says the same`)
        }
      }
    }
  })
}

/** What is offered is br, gzip and deflate: what Node 20 has. */
const CASES: Array<[title: string, field: string, got: string | undefined | 406]> = [
  ['of several the client likes alike, the first that is offered', 'deflate, gzip, br', 'br'],
  ['what it likes best', 'br;q=0.5, gzip;q=0.8, deflate', 'deflate'],
  ['a weight of three digits', 'br;q=0.123, gzip;q=0.124', 'gzip'],
  ['a weight in capitals', 'gzip;Q=1, br;Q=0', 'gzip'],
  ['space around a weight', 'br ; q=0 ,\tgzip ; q=1', 'gzip'],
  ['the name in capitals', 'GZIP', 'gzip'],
  ['x-gzip', 'x-gzip', 'gzip'],
  ['a star', '*', 'br'],
  ['a star that leaves one out', 'br;q=0, *', 'gzip'],
  ['a star that is refused', 'gzip, *;q=0', 'gzip'],
  ['none of what is offered', 'compress, sdch', undefined],
  ['an empty field', '', undefined],
  ['identity alone', 'identity', undefined],
  ['identity before a coding', 'identity, gzip;q=0.5', undefined],
  ['a coding as good as identity', 'gzip, identity', 'gzip'],
  ['all refused but identity', 'br;q=0, gzip;q=0, deflate;q=0', undefined],
  ['identity refused', 'identity;q=0, gzip;q=0.1', 'gzip'],
  ['all refused', '*;q=0', 406],
  ['identity refused and nothing said of codings', 'identity;q=0', 406],
  ['identity refused, and of codings one that there is not', 'identity;q=0, compress', 406],
  ['all refused but identity, by a star', '*;q=0, identity', undefined],
  ['refused and taken at once is refused', 'gzip, gzip;q=0', undefined],
  ['a weight that is none is not taken', 'gzip;q=2, br;q=, deflate;q=0.1', 'deflate'],
  ['a weight below zero is not taken', 'gzip;q=-1', undefined],
  ['a parameter that is no weight is not taken', 'gzip;level=9', undefined],
  ['a zero with three digits is a zero', 'gzip;q=0.000', undefined]
]

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: the coding is the one that the client likes best of those that are offered`, async (t) => {
    const { request } = await buildApp(t, { protocol, options: { encodings: ['br', 'gzip', 'deflate'] }, routes })
    for (const [title, field, got] of CASES) {
      for (const path of ['/text', '/stream']) {
        const answer = await request(path, { headers: { 'accept-encoding': field } })
        t.strictSame([answer.status, answer.headers['content-encoding'], answer.headers.vary], got === 406 ? [406, undefined, 'Accept-Encoding'] : [200, got, 'Accept-Encoding'], `${path} ${title}: ${field}`)
        if (got !== 406) t.ok(String(decoded(answer)) === TEXT)
        else t.match(JSON.parse(String(answer.body)), { code: 'FST_HEADROOM_COMPRESSION_NOT_ACCEPTABLE', statusCode: 406 })
      }
    }
  })
}

t.test('a route offers its own codings, in its own order', async (t) => {
  const { request } = await buildApp(t, {
    options: { encodings: ['br', 'gzip'] },
    routes: (app) => {
      app.get('/plugin', async () => TEXT)
      app.get('/route', { config: { compression: { encodings: ['deflate', 'gzip'] } } }, async () => TEXT)
    }
  })
  const of = async (path: string, field: string): Promise<unknown> => (await request(path, { headers: { 'accept-encoding': field } })).headers['content-encoding']
  t.strictSame([await of('/plugin', 'deflate'), await of('/plugin', '*'), await of('/route', 'br'), await of('/route', '*')], [undefined, 'br', undefined, 'deflate'])
})

t.test('what changes something is answered also where the client takes no coding that there is', async (t) => {
  const { request } = await buildApp(t, { routes: (app) => { app.post('/', async () => TEXT) } })
  const answer = await request('/', { method: 'POST', headers: { 'accept-encoding': '*;q=0' } })
  t.strictSame([answer.status, String(answer.body)], [200, TEXT])
})

t.test('a client that says nothing of codings gets none: it need not know any', async (t) => {
  const { request } = await buildApp(t, { routes: (app) => { app.get('/', async () => TEXT) } })
  const answer = await request('/')
  t.strictSame([answer.headers['content-encoding'], answer.headers.vary, String(answer.body)], [undefined, 'Accept-Encoding', TEXT])
})
