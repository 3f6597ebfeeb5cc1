import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import { PROTOCOLS } from '../helpers/http-client.js'
import { buildApp } from './build-app.js'

const broken = (): Readable => new Readable({ read () { this.destroy(new Error('broken')) } })

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: an error in the place of a reply has no validators of that`, async (t) => {
    const { request } = await buildApp(t, {
      protocol,
      options: { cacheControl: 'max-age=60', cdnCacheControl: 'max-age=60' },
      routes: (app) => {
        const config = { cacheHeaders: { version: () => new Date(0) } }
        app.get('/stream', { config }, async () => broken())
        app.get('/response', { config }, async () => new Response(Readable.toWeb(broken()) as never, { headers: { 'content-type': 'text/plain' } }))
        app.get('/web-stream', { config }, async () => Readable.toWeb(broken()))
        app.get('/whole', { config }, async () => 'x')
      }
    })
    for (const path of ['/stream', '/response', '/web-stream']) {
      const { status, headers, body } = await request(path)
      t.equal(status, 500, path)
      t.strictSame(headers, { 'cache-control': 'no-store', 'cdn-cache-control': 'no-store', 'content-type': 'application/json; charset=utf-8', 'content-length': String(body.length) }, path)
    }
    t.match((await request('/whole')).headers, { etag: '"1970-01-01T00:00:00.000Z"', 'last-modified': 'Thu, 01 Jan 1970 00:00:00 GMT' })
  })
}

t.test('what an error handler answers with in the place of a reply does not get the tag of the version', async (t) => {
  const { request } = await buildApp(t, {
    routes: (app) => {
      const errorHandler = (_error: Error, _request: unknown, reply: FastifyReply): void => { reply.code(200).type('text/plain').send('instead') }
      app.get('/thrown', { config: { cacheHeaders: { version: () => 'v1' } }, errorHandler }, async () => { throw new Error('broken') })
      app.get('/stream', { config: { cacheHeaders: { version: () => 'v1' } }, errorHandler }, async () => broken())
    }
  })
  for (const path of ['/thrown', '/stream']) {
    const { status, headers, body } = await request(path)
    t.strictSame([status, String(body)], [200, 'instead'], path)
    t.not(headers.etag, '"v1"', path)
  }
})
