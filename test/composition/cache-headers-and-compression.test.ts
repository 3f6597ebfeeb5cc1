import { Readable } from 'node:stream'
import zlib from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import cacheHeaders from 'fastify-headroom/cache-headers'
import compression from 'fastify-headroom/compression'
import t, { type Test } from 'tap'
import { connectTo, decoded, newApp, PROTOCOLS, type Answer, type HttpClient, type Protocol } from '../helpers/http-client.js'

const ENCODINGS = ['br', 'gzip', 'deflate', ...'createZstdCompress' in zlib ? ['zstd'] : []]

/** Who is registered, in which order. */
const ARRANGEMENTS = [['cache-headers'], ['compression'], ['cache-headers', 'compression'], ['compression', 'cache-headers']] as const
type Arrangement = typeof ARRANGEMENTS[number]

const LONG = Array.from({ length: 10_000 }, (_, index) => `row ${index} of it all\n`).join('')
const BODIES: Array<[path: string, body: string, isEncoded: boolean]> = [
  ['/small', 'small', false],
  ['/2.5kb', LONG.slice(0, 2_500), true],
  ['/200kb', LONG.slice(0, 200_000), true],
  ['/stream', LONG.slice(0, 50_000), true]
]

async function client (t: Test, protocol: Protocol, arrangement: Arrangement): Promise<HttpClient> {
  const app = newApp(t, protocol)
  for (const name of arrangement) {
    if (name === 'compression') await app.register(compression, { shed: false })
    else await app.register(cacheHeaders, { cacheControl: { maxAge: '1m' } })
  }
  routes(app)
  return await connectTo(t, app)
}

function routes (app: FastifyInstance): void {
  for (const [path, body] of BODIES) {
    const isStream = path === '/stream'
    app.get(path, { config: { cacheHeaders: isStream ? { version: (_request, payload) => payload === undefined ? undefined : 'v1' } : {} } }, async (_request, reply) =>
      reply.type('text/plain').send(isStream ? Readable.from(body.match(/.{1,9000}/gs)!) : Buffer.from(body)))
  }
}

/** Remembers what each strong tag was the tag of. */
function judge (t: Test, seen: Map<string, Buffer>, path: string, { headers, body }: Answer, title: string): void {
  const key = `${path} ${String(headers.etag)}`
  if (headers.etag === undefined || String(headers.etag).startsWith('W/')) return
  const before = seen.get(key)
  if (before !== undefined) t.ok(before.equals(body), `${title}: the same tag, the same bytes`)
  seen.set(key, body)
}

for (const protocol of PROTOCOLS) {
  for (const arrangement of ARRANGEMENTS) {
    t.test(`${protocol}, ${arrangement.join(' then ')}: each body in each coding has its own tag, its exact length, and is known again by it`, async (t) => {
      const { request } = await client(t, protocol, arrangement)
      const [tags, codes] = [(arrangement as readonly string[]).includes('cache-headers'), (arrangement as readonly string[]).includes('compression')]
      const seen = new Map<string, Buffer>()
      for (const [path, text, isLong] of BODIES) {
        const tagsOfPath = new Set<unknown>()
        for (const encoding of ['identity', ...ENCODINGS]) {
          const title = `${path} ${encoding}`
          const accept = { 'accept-encoding': encoding }
          const isEncoded = codes && isLong && encoding !== 'identity'

          const got = await request(path, { headers: accept })
          t.strictSame([got.status, got.headers['content-encoding'], got.headers.vary], [200, isEncoded ? encoding : undefined, codes ? 'Accept-Encoding' : undefined], title)
          t.equal(got.headers['content-length'], path === '/stream' ? undefined : String(got.body.length), `${title}: length`)
          t.ok(String(decoded(got)) === text, `${title}: body`)
          t.equal(typeof got.headers.etag, tags ? 'string' : 'undefined', `${title}: tag`)
          tagsOfPath.add(got.headers.etag)
          judge(t, seen, path, got, title)
          judge(t, seen, path, await request(path, { headers: accept }), `${title}, again`)

          const head = await request(path, { method: 'HEAD', headers: accept })
          t.strictSame([head.status, head.headers, head.body.length], [200, got.headers, 0], `${title}: HEAD`)
          if (!tags) continue

          const etag = got.headers.etag as string
          const { 'content-type': _type, 'content-length': _length, 'content-encoding': _coding, ...kept } = got.headers
          for (const method of ['GET', 'HEAD']) {
            const fresh = await request(path, { method, headers: { ...accept, 'if-none-match': `"x", ${etag}` } })
            t.strictSame([fresh.status, fresh.headers, fresh.body.length], [304, kept, 0], `${title}: ${method} of who has it`)
            const other = await request(path, { method, headers: { ...accept, 'if-match': '"x"' } })
            t.strictSame([other.status, other.headers.etag, other.headers['cache-control']], [412, undefined, 'no-store'], `${title}: ${method} of who wants another`)
          }
          // Of a stream in a coding the tag is weak, which If-Match never takes.
          const wanted = await request(path, { headers: { ...accept, 'if-match': etag } })
          t.equal(wanted.status, etag.startsWith('W/') ? 412 : 200, `${title}: who wants that`)
        }
        if (tags) t.equal(tagsOfPath.size, codes && isLong ? 1 + ENCODINGS.length : 1, `${path}: a tag for each coding`)
      }
    })
  }
}

for (const arrangement of ARRANGEMENTS.slice(2)) {
  t.test(`${arrangement.join(' then ')}: of a version, a client is known by its tag in any coding before the handler, and may write with it`, async (t) => {
    let calls = 0
    const app = newApp(t, 'HTTP/1.1')
    for (const name of arrangement) await app.register((name === 'compression' ? compression : cacheHeaders) as typeof compression)
    app.route({
      method: ['GET', 'PUT'],
      url: '/',
      config: { cacheHeaders: { version: () => 'v1' } },
      handler: async (request) => {
        calls++
        return request.method === 'PUT' ? request.precondition : LONG
      }
    })
    const { request } = await connectTo(t, app)
    for (const encoding of ['identity', ...ENCODINGS]) {
      const accept = { 'accept-encoding': encoding }
      const { headers } = await request('/', { headers: accept })
      t.equal(headers.etag, encoding === 'identity' ? '"v1"' : `"v1:${encoding}"`)
      calls = 0
      t.match(await request('/', { headers: { ...accept, 'if-none-match': headers.etag as string } }), { status: 304, headers: { etag: headers.etag, vary: 'Accept-Encoding' } })
      t.equal(calls, 0, encoding)
      const written = await request('/', { method: 'PUT', headers: { 'accept-encoding': 'identity', 'if-match': headers.etag as string } })
      t.strictSame([written.status, JSON.parse(String(written.body))], [200, { tag: 'v1', version: 'v1' }], encoding)
    }
    t.equal((await request('/', { headers: { 'accept-encoding': 'br', 'if-none-match': '"v1:gzip"' } })).status, 200, 'bytes of a coding that it does not accept')
  })

  t.test(`${arrangement.join(' then ')}: an error in the place of an encoded reply has neither its tag nor its coding`, async (t) => {
    for (const protocol of PROTOCOLS) {
      const app = newApp(t, protocol)
      for (const name of arrangement) await app.register((name === 'compression' ? compression : cacheHeaders) as typeof compression)
      app.get('/', { config: { cacheHeaders: { version: (_request, _payload) => 'v1', cacheControl: 'max-age=5' } } }, async (_request, reply) =>
        reply.type('text/plain').send(new Readable({ read () { this.destroy(new Error('broken')) } })))
      const { request } = await connectTo(t, app)
      const { status, headers, body } = await request('/', { headers: { 'accept-encoding': 'gzip' } })
      t.strictSame([status, headers], [500, { vary: 'Accept-Encoding', 'cache-control': 'no-store', 'content-type': 'application/json; charset=utf-8', 'content-length': String(body.length) }])
    }
  })

  t.test(`${arrangement.join(' then ')}: what is not acceptable has no tag`, async (t) => {
    const { request } = await client(t, 'HTTP/1.1', arrangement)
    const { status, headers } = await request('/2.5kb', { headers: { 'accept-encoding': '*;q=0' } })
    t.match([status, headers], [406, { etag: undefined, vary: 'Accept-Encoding', 'cache-control': 'no-store' }])
  })
}

for (const arrangement of ARRANGEMENTS.slice(2)) {
  t.test(`${arrangement.join(' then ')}: a 304 has the tag of the 200 that it is in place of, also of what is not encoded`, async (t) => {
    const app = newApp(t, 'HTTP/1.1')
    for (const name of arrangement) await app.register((name === 'compression' ? compression : cacheHeaders) as typeof compression)
    const changed = 'Sun, 06 Nov 1994 08:49:37 GMT'
    app.get('/image', async (_request, reply) => reply.type('image/png').header('last-modified', changed).send(Buffer.from(LONG)))
    app.get('/small', async (_request, reply) => reply.header('last-modified', changed).send('small'))
    app.get('/text', async (_request, reply) => reply.header('last-modified', changed).send(LONG))
    app.get('/stream', async (_request, reply) => reply.type('text/plain').header('etag', '"a"').header('last-modified', changed).send(Readable.from([LONG])))
    const { request } = await connectTo(t, app)
    for (const path of ['/image', '/small', '/text', '/stream']) {
      const { etag, vary } = (await request(path, { headers: { 'accept-encoding': 'gzip' } })).headers
      for (const condition of [{ 'if-modified-since': changed }, { 'if-none-match': '*' }]) {
        const fresh = await request(path, { headers: { 'accept-encoding': 'gzip', ...condition } })
        t.strictSame([fresh.status, fresh.headers.etag], [304, etag], `${path} ${Object.keys(condition).join()}: tag`)
        t.equal(fresh.headers.vary, vary, `${path} ${Object.keys(condition).join()}: Vary`)
      }
    }
  })
}

t.test('where a client may ask for no compression, the 304 varies on that as the 200 does', async (t) => {
  const app = newApp(t, 'HTTP/1.1')
  await app.register(compression, { allowOptOut: true })
  await app.register(cacheHeaders)
  app.get('/', async () => LONG)
  const { request } = await connectTo(t, app)
  const { headers } = await request('/', { headers: { 'accept-encoding': 'gzip' } })
  const fresh = await request('/', { headers: { 'accept-encoding': 'gzip', 'if-none-match': headers.etag as string } })
  t.strictSame([fresh.status, fresh.headers.vary], [304, 'Accept-Encoding, X-No-Compression'])
})
