import zlib from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { decoded, PROTOCOLS } from '../helpers/http-client.js'
import { buildApp } from './build-app.js'

const JSON_TYPE = { 'content-type': 'application/json' }
const BODY = { text: 'Of all that is said, most was said before. '.repeat(60) }
const ENCODED: Array<[coding: string, body: Buffer | string]> = [
  ['identity', JSON.stringify(BODY)],
  ['gzip', zlib.gzipSync(JSON.stringify(BODY))],
  ['deflate', zlib.deflateSync(JSON.stringify(BODY))],
  ['br', zlib.brotliCompressSync(JSON.stringify(BODY))]
]

const BOMB = Buffer.alloc(20_000_000, '0')
/** A few kilobytes of what is twenty times the limit. */
const BOMBS: typeof ENCODED = [
  ['gzip', zlib.gzipSync(BOMB)],
  ['br', zlib.brotliCompressSync(BOMB, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })]
]

function routes (app: FastifyInstance): void {
  app.post('/', async (request) => request.body)
  app.post('/small', { bodyLimit: 1_000 }, async (request) => request.body)
  app.post('/as-it-is', { decompress: false } as object, async (request) => request.body)
  app.post('/off', { config: { compression: false } }, async (request) => request.body)
  app.post('/compress-false', { compress: false } as object, async (request) => request.body)
}

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: the body of a request is decompressed`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    for (const [coding, body] of ENCODED) {
      for (const path of ['/', '/compress-false']) {
        const answer = await request(path, { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': coding }, body })
        t.equal(answer.status, 200, coding)
        t.strictSame(JSON.parse(String(decoded(answer))), BODY, coding)
      }
    }
  })

  t.test(`${protocol}: a body that does not decompress is 400, and an unknown coding 415`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    for (const [coding, body] of ENCODED.slice(1)) {
      t.equal((await request('/', { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': coding }, body: '{"no": "coding"}' })).status, 400, coding)
      t.equal((await request('/', { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': coding }, body: body.slice(0, -8) })).status, 400, `${coding}, cut off`)
    }
    t.match(await request('/', { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': 'compress' }, body: '{}' }), { status: 415, headers: { 'content-type': /json/ } })
  })

  t.test(`${protocol}: what a body decompresses to is bounded by the body limit`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    for (const [coding, body] of BOMBS) {
      const answer = await request('/', { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': coding }, body })
      t.match([answer.status, JSON.parse(String(answer.body))], [413, { code: 'FST_ERR_CTP_BODY_TOO_LARGE' }], coding)
    }
    t.equal((await request('/small', { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: zlib.gzipSync(JSON.stringify(BODY)) })).status, 413)
  })

  t.test(`${protocol}: a route can take bodies as they are`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    for (const path of ['/as-it-is', '/off']) t.equal((await request(path, { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: zlib.gzipSync('{}') })).status, 400, path)
  })
}

t.test('an app can take all bodies as they are, or only some codings', async (t) => {
  const gzipped = { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: zlib.gzipSync('{}') }
  const asTheyAre = await buildApp(t, { options: { requests: false }, routes })
  t.equal((await asTheyAre.request('/', gzipped)).status, 400)
  const some = await buildApp(t, { options: { requests: { requestEncodings: ['br'] } }, routes })
  t.equal((await some.request('/', gzipped)).status, 415)
  t.equal((await some.request('/', { ...gzipped, headers: { ...JSON_TYPE, 'content-encoding': 'br' }, body: zlib.brotliCompressSync('{}') })).status, 200)
})

t.test('the preParsing hook of a route gets the body decompressed, once', async (t) => {
  const decompressed: boolean[] = []
  const { request } = await buildApp(t, {
    routes: (app) => {
      app.post('/', {
        preParsing: async (_request, _reply, payload) => {
          decompressed.push(payload.receivedEncodedLength !== undefined)
          return payload
        }
      }, async (request) => request.body)
    }
  })
  await request('/', { method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: zlib.gzipSync('{}') })
  t.strictSame(decompressed, [true])
})
