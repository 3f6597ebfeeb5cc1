import { once } from 'node:events'
import { PassThrough, Readable, type Transform } from 'node:stream'
import zlib from 'node:zlib'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { decoded, PROTOCOLS, type Opened } from '../helpers/http-client.js'
import { buildApp, ENCODINGS, LONG_TEXT, type Wishes } from './build-app.js'

const DECODERS: Record<string, () => Transform> = {
  br: zlib.createBrotliDecompress,
  gzip: zlib.createGunzip,
  deflate: zlib.createInflate,
  // The types are those of Node 20, which has none.
  zstd: () => (zlib as unknown as { createZstdDecompress: () => Transform }).createZstdDecompress()
}

/** What has been decoded of a reply so far. */
function reading ({ headers, body }: Opened): { text: () => string, ended: Promise<unknown>, decoder: Transform } {
  let text = ''
  const decoder = DECODERS[headers['content-encoding'] as string]!()
  decoder.on('data', (chunk: Buffer) => { text += String(chunk) })
  decoder.on('error', () => {})
  body.on('error', (error) => { decoder.destroy(error) })
  return { text: () => text, ended: once(body.pipe(decoder), 'end'), decoder }
}

/** A stream that the test writes to, for each request. */
async function tapped (t: Test, type: string, wishes: Omit<Wishes, 'routes'>) {
  const sources: PassThrough[] = []
  const built = await buildApp(t, {
    ...wishes,
    routes: (app) => {
      app.get('/', async (_request, reply) => {
        const source = new PassThrough()
        source.on('error', () => {})
        sources.push(source)
        return await reply.type(type).send(source)
      })
    }
  })
  return { ...built, sources }
}

for (const protocol of PROTOCOLS) {
  for (const [title, type, parts] of [
    ['the first rows of an export', 'application/x-ndjson', ['{"row":1}\n{"row":2}\n', '{"row":3}\n']],
    ['a sequence of JSON texts', 'application/json-seq', ['\u001e{"row":1}\n', '\u001e{"row":2}\n']],
    ['an event', 'text/event-stream', ['data: 1\n\n', 'data: 2\n\n']]
  ] as const) {
    t.test(`${protocol}: ${title} can be read while the source is still at work`, async (t) => {
      const { open, sources } = await tapped(t, type, { protocol })
      for (const encoding of ENCODINGS) {
        const opening = open('/', { headers: { 'accept-encoding': encoding } })
        await eventually(() => sources.length > 0)
        const source = sources.shift()!
        source.write(parts[0])
        const { text, ended } = reading(await opening)
        await eventually(() => text() === parts[0])
        source.write(parts[1])
        await eventually(() => text() === parts[0] + parts[1])
        source.end()
        await ended
        t.equal(text(), parts.join(''), encoding)
      }
    })
  }

  t.test(`${protocol}: a client that leaves ends the source`, async (t) => {
    const { open, sources, app } = await tapped(t, 'text/plain', { protocol })
    for (const encoding of ENCODINGS) {
      const opening = open('/', { headers: { 'accept-encoding': encoding } })
      await eventually(() => sources.length > 0)
      const source = sources.shift()!
      source.write('some')
      const opened = await opening
      opened.body.on('error', () => {}).resume()
      opened.abort()
      await eventually(() => source.destroyed)
      t.pass(encoding)
    }
    await eventually(() => app.compression.stats().running === 0)
  })

  t.test(`${protocol}: a source that fails on its way breaks the reply off, and what came does not look complete`, async (t) => {
    const { open, sources, app } = await tapped(t, 'text/plain', { protocol })
    for (const encoding of ENCODINGS) {
      const opening = open('/', { headers: { 'accept-encoding': encoding } })
      await eventually(() => sources.length > 0)
      const source = sources.shift()!
      source.write(LONG_TEXT)
      const { headers, body } = await opening
      const came: Buffer[] = []
      body.on('data', (chunk: Buffer) => { came.push(chunk) })
      const closed = once(body, 'close').catch((error: Error) => error)
      await eventually(() => came.length > 0)
      source.destroy(new Error('broken'))
      const error = await closed
      if (protocol === 'HTTP/1.1') t.match(error, { code: 'ECONNRESET' }, encoding)
      t.throws(() => decoded({ headers, body: Buffer.concat(came) }), encoding)
    }
    await eventually(() => app.compression.stats().running === 0)
  })

  t.test(`${protocol}: a source that fails before its first byte is a 500 without the coding`, async (t) => {
    const { request } = await buildApp(t, {
      protocol,
      routes: (app) => { app.get('/', async (_request, reply) => reply.type('text/plain').send(new Readable({ read () { this.destroy(new Error('broken')) } }))) }
    })
    const { status, headers, body } = await request('/', { headers: { 'accept-encoding': 'gzip' } })
    t.strictSame([status, headers], [500, { vary: 'Accept-Encoding', 'content-type': 'application/json; charset=utf-8', 'content-length': String(body.length) }])
    t.match(JSON.parse(String(body)), { message: 'broken' })
  })

  t.test(`${protocol}: a client that reads slowly holds the source back`, async (t) => {
    let pushed = 0
    const { open } = await buildApp(t, {
      protocol,
      routes: (app) => {
        // What nothing makes smaller fills the pipes.
        app.get('/', async (_request, reply) => reply.type('text/plain').send(new Readable({
          read () {
            pushed++
            this.push(zlib.deflateRawSync(String(Math.random())).toString('base64') + Array.from({ length: 2_000 }, () => Math.random().toString(36)).join(''))
            if (pushed > 20_000) this.push(null)
          }
        })))
      }
    })
    const { body, abort } = await open('/', { headers: { 'accept-encoding': 'gzip' } })
    let before = -1
    // It stands still.
    await eventually(async () => {
      const stands = pushed === before
      before = pushed
      await new Promise((resolve) => { setTimeout(resolve, 60) })
      return stands
    })
    t.ok(pushed < 2_000, `${pushed} chunks`)
    body.on('error', () => {})
    abort()
  })

  t.test(`${protocol}: an endless stream is not read for HEAD, and closed`, async (t) => {
    const sources: Readable[] = []
    const { request, app } = await buildApp(t, {
      protocol,
      routes: (app) => {
        app.get('/', async (_request, reply) => {
          sources.push(new Readable({ read () { this.push('x'.repeat(1_000)) } }))
          return await reply.type('text/plain').header('etag', '"a"').send(sources.at(-1))
        })
      }
    })
    t.match(await request('/', { method: 'HEAD', headers: { 'accept-encoding': 'gzip' } }), { status: 200, headers: { 'content-encoding': 'gzip', etag: 'W/"a:gzip"' } })
    t.equal((await request('/', { headers: { 'accept-encoding': 'gzip', 'if-none-match': 'W/"a:gzip"' } })).status, 304)
    t.equal((await request('/', { headers: { 'accept-encoding': '*;q=0' } })).status, 406)
    await eventually(() => sources.length === 3 && sources.every(({ destroyed }) => destroyed))
    t.equal(app.compression.stats().running, 0)
  })
}

t.test('a 500 in the place of a stream has no tag with the coding of that', async (t) => {
  const { request } = await buildApp(t, {
    routes: (app) => { app.get('/', async (_request, reply) => reply.type('text/plain').header('etag', '"a"').send(new Readable({ read () { this.destroy(new Error('broken')) } }))) }
  })
  const { status, headers } = await request('/', { headers: { 'accept-encoding': 'gzip' } })
  t.equal(status, 500)
  t.notMatch(headers.etag, /gzip/)
})
