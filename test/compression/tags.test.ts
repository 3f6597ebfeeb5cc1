import { Readable } from 'node:stream'
import etag from '@fastify/etag'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { decoded, PROTOCOLS, type HttpClient } from '../helpers/http-client.js'
import { buildApp, ENCODINGS, LONG_TEXT, TEXT } from './build-app.js'

const CODED = [...ENCODINGS, 'identity']

async function tagsOf ({ request }: HttpClient, path: string): Promise<Record<string, string>> {
  const tags: Record<string, string> = {}
  for (const encoding of CODED) tags[encoding] = (await request(path, { headers: { 'accept-encoding': encoding } })).headers.etag as string
  return tags
}

function routes (app: FastifyInstance): void {
  app.get('/strong', async (_request, reply) => reply.header('etag', '"a"').header('cache-control', 'max-age=5').send(TEXT))
  app.get('/weak', async (_request, reply) => reply.header('etag', 'W/"a"').send(TEXT))
  app.get('/long', async (_request, reply) => reply.header('etag', '"a"').send(LONG_TEXT))
  app.get('/stream', async (_request, reply) => reply.header('etag', '"a"').type('text/plain').send(Readable.from([TEXT])))
  app.get('/no-tag', async (_request, reply) => reply.header('etag', 'a').send(TEXT))
  app.get('/content', async () => TEXT)
  app.get('/error', async (_request, reply) => reply.code(404).header('etag', '"a"').send(TEXT))
  app.post('/content', async () => TEXT)
}

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: each coding has its own tag, by which the client is known again`, async (t) => {
    const client = await buildApp(t, { protocol, routes })
    for (const path of ['/strong', '/weak', '/long', '/stream']) {
      const tags = await tagsOf(client, path)
      t.equal(new Set(Object.values(tags)).size, CODED.length, `${path}: as many tags as codings`)
      for (const encoding of ENCODINGS) {
        const fresh = await client.request(path, { headers: { 'accept-encoding': encoding, 'if-none-match': `"x", ${tags[encoding]!}` } })
        t.match([fresh.status, fresh.headers.etag, fresh.headers.vary, fresh.body.length], [304, tags[encoding]!, 'Accept-Encoding', 0], `${path} ${encoding}`)
        t.notOk('content-type' in fresh.headers || 'content-length' in fresh.headers || 'content-encoding' in fresh.headers, `${path} ${encoding}: nothing of the body`)
        const changed = await client.request(path, { headers: { 'accept-encoding': encoding, 'if-none-match': tags[encoding]!.replace('a', 'b') } })
        t.equal(changed.status, 200, `${path} ${encoding}: another tag`)
      }
    }
  })

  t.test(`${protocol}: who has the bytes of a coding that it does not accept any more gets others`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    for (const [accepts, has] of [['identity', '"a:gzip"'], ['br', '"a:gzip"'], ['gzip;q=0, br', '"a:gzip"']] as const) {
      t.equal((await request('/strong', { headers: { 'accept-encoding': accepts, 'if-none-match': has } })).status, 200, `${has} and ${accepts}`)
    }
    t.equal((await request('/strong', { headers: { 'accept-encoding': 'br, gzip;q=0.1', 'if-none-match': '"a:gzip"' } })).status, 304, 'it accepts both')
  })
}

for (const place of ['before', 'after'] as const) {
  t.test(`with @fastify/etag registered ${place} it, each coding has its own tag too`, async (t) => {
    const client = await buildApp(t, {
      ...place === 'before' && { before: async (app) => { await app.register(etag) } },
      routes: async (app) => {
        routes(app)
        if (place === 'after') await app.register(etag)
      }
    })
    const tags = await tagsOf(client, '/content')
    t.equal(new Set(Object.values(tags)).size, CODED.length)
    for (const encoding of CODED) {
      const answer = await client.request('/content', { headers: { 'accept-encoding': encoding, 'if-none-match': tags[encoding]! } })
      t.strictSame([answer.status, answer.headers.etag, answer.headers.vary, answer.body.length], [304, tags[encoding], 'Accept-Encoding', 0], encoding)
      const head = await client.request('/content', { method: 'HEAD', headers: { 'accept-encoding': encoding } })
      t.equal(head.headers.etag, tags[encoding], `${encoding}: HEAD`)
    }
    const other = await client.request('/content', { headers: { 'accept-encoding': 'gzip', 'if-none-match': tags.br! } })
    t.strictSame([other.status, String(decoded(other))], [200, TEXT])
  })
}

t.test('a tag that is none is left as it is', async (t) => {
  const { request } = await buildApp(t, { routes })
  t.match(await request('/no-tag', { headers: { 'accept-encoding': 'gzip', 'if-none-match': 'a' } }), { status: 200, headers: { etag: 'a', 'content-encoding': 'gzip' } })
})

t.test('of what is encoded as it comes the tag is weak: the bytes are not the same each time', async (t) => {
  const { request } = await buildApp(t, { routes })
  for (const encoding of ENCODINGS) t.equal((await request('/stream', { headers: { 'accept-encoding': encoding } })).headers.etag, `W/"a:${encoding}"`)
})

t.test('an error is not 304 because its tag matches', async (t) => {
  const { request } = await buildApp(t, { routes })
  t.match(await request('/error', { headers: { 'accept-encoding': 'gzip', 'if-none-match': '"a:gzip"' } }), { status: 404, headers: { 'content-encoding': 'gzip' } })
})

t.test('an If-Match leaves it to others to judge what is asked', async (t) => {
  const { request } = await buildApp(t, { routes })
  t.equal((await request('/strong', { headers: { 'accept-encoding': 'gzip', 'if-match': '"a:gzip"', 'if-none-match': '"a:gzip"' } })).status, 200)
})
