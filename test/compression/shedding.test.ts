import { PassThrough } from 'node:stream'
import zlib from 'node:zlib'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { PROTOCOLS } from '../helpers/http-client.js'
import { buildApp, LONG_TEXT, TEXT } from './build-app.js'

const GZIP = { 'accept-encoding': 'gzip' }

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: when as many are compressed as may be, the next is sent as it is, and counted`, async (t) => {
    const sources: PassThrough[] = []
    const { app, open, request } = await buildApp(t, {
      protocol,
      options: { maxConcurrent: 2 },
      routes: (app) => {
        app.get('/stream', async (_request, reply) => {
          sources.push(new PassThrough())
          return await reply.type('text/plain').header('etag', '"a"').send(sources.at(-1))
        })
        app.get('/long', async (_request, reply) => reply.header('etag', '"a"').send(LONG_TEXT))
        app.get('/short', async () => TEXT)
      }
    })
    const opening = [1, 2].map(async () => await open('/stream', { headers: GZIP }))
    await eventually(() => app.compression.stats().running === 2)
    for (const source of sources) source.write('some')
    const opened = await Promise.all(opening)
    t.strictSame(opened.map(({ headers }) => headers['content-encoding']), ['gzip', 'gzip'])

    const long = await request('/long', { headers: GZIP })
    t.match(long, { headers: { 'content-encoding': undefined, etag: '"a"', vary: 'Accept-Encoding', 'content-length': String(Buffer.byteLength(LONG_TEXT)) } })
    t.equal((await request('/short', { headers: GZIP })).headers['content-encoding'], 'gzip', 'what is small takes no place')
    const third = open('/stream', { headers: GZIP })
    await eventually(() => sources.length === 3)
    sources[2]!.end(TEXT)
    t.equal((await third).headers['content-encoding'], undefined)
    t.match(app.compression.stats(), { running: 2, routes: [{ method: 'GET', route: '/stream', shed: 1 }, { route: '/long', shed: 1 }, { route: '/short', shed: 0, compressed: 1 }] })

    const forced = open('/stream', { headers: { 'accept-encoding': 'gzip, identity;q=0' } })
    await eventually(() => sources.length === 4)
    sources[3]!.end(TEXT)
    t.equal((await forced).headers['content-encoding'], undefined, 'nor for a client that says that it takes nothing else')

    for (const source of sources) source.end()
    for (const { body } of opened) await body.toArray()
    await eventually(() => app.compression.stats().running === 0)
    t.equal((await request('/long', { headers: GZIP })).headers['content-encoding'], 'gzip', 'once there is a place again')
  })
}

t.test('stats say what was compressed of each route, and what it saved', async (t) => {
  const { app, request } = await buildApp(t, {
    routes: (app) => {
      app.get('/:id', async () => TEXT)
      app.get('/unused', async () => TEXT)
    }
  })
  t.strictSame(app.compression.stats(), { effort: 'full', running: 0, routes: [] })
  const { body } = await request('/1', { headers: GZIP })
  await request('/2', { headers: GZIP })
  await request('/3', { headers: { 'accept-encoding': 'identity' } })
  const { milliseconds, ...counts } = app.compression.stats().routes[0]!
  t.strictSame(counts, { method: 'GET', route: '/:id', compressed: 2, shed: 0, bytesIn: 2 * TEXT.length, bytesOut: 2 * body.length, bytesSaved: 2 * (TEXT.length - body.length) })
  t.ok(milliseconds > 0 && milliseconds < 1_000)
})

t.test('an app compresses bytes of its own', async (t) => {
  const { app } = await buildApp(t, { routes: () => {} })
  for (const bytes of [TEXT, Buffer.from(TEXT), new Uint8Array(Buffer.from(`x${TEXT}`)).subarray(1)]) t.equal(String(zlib.gunzipSync(await app.compression.encode(bytes, 'gzip'))), TEXT)
  t.equal(String(zlib.brotliDecompressSync(await app.compression.encode(TEXT, 'br'))), TEXT)
  t.equal(String(zlib.inflateSync(await app.compression.encode(TEXT, 'deflate'))), TEXT)
  await t.rejects(app.compression.encode(TEXT, 'lzma' as never), { code: 'FST_HEADROOM_COMPRESSION_CODING', message: /expected one of br, .*got "lzma"/ })
})
