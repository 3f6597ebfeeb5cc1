import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { PROTOCOLS } from '../helpers/http-client.js'
import { buildApp } from './build-app.js'

const BODIES: Array<[path: string, body: () => unknown]> = [
  ['/text', () => 'text'],
  ['/json', () => ({ a: 'ä' })],
  ['/buffer', () => Buffer.alloc(70_000, 'b')],
  ['/empty', () => ''],
  ['/stream', () => Readable.from(['a', 'b'])],
  ['/response', () => new Response('web', { status: 203, headers: { 'x-of': 'web', 'content-type': 'text/plain' } })],
  ['/web-stream', () => new Response('web').body]
]

function routes (app: FastifyInstance): void {
  for (const [path, body] of BODIES) {
    app.get(path, async (_request, reply) => reply.header('vary', 'X').send(body()))
    app.route({ method: ['GET', 'HEAD'], url: `/explicit${path}`, exposeHeadRoute: false, handler: async (_request, reply) => reply.header('vary', 'X').send(body()) })
  }
  app.get('/length', async (_request, reply) => reply.header('content-length', '2').send(Readable.from(['a', 'b'])))
  app.get('/nothing', async (_request, reply) => reply.code(204).send())
  app.get('/version', { config: { cacheHeaders: { version: () => 'v1' } } }, async () => Readable.from(['a']))
  app.get('/error', async () => { throw new Error('broken') })
  app.get('/redirect', async (_request, reply) => reply.redirect('/text'))
  app.head('/own-head', async (_request, reply) => reply.header('content-length', '12').header('etag', '"a"').send())
}

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: HEAD says exactly what GET says`, async (t) => {
    const { request } = await buildApp(t, { protocol, options: { cacheControl: 'max-age=1', cdnCacheControl: 'max-age=2' }, routes })
    const paths = [...BODIES.flatMap(([path]) => [path, `/explicit${path}`]), '/length', '/nothing', '/version', '/error', '/redirect']
    for (const path of paths) {
      for (const headers of [{}, { 'if-none-match': '*' }, { 'if-match': '"x"' }] as Array<Record<string, string>>) {
        const get = await request(path, { headers })
        const head = await request(path, { method: 'HEAD', headers })
        t.strictSame([head.status, head.headers, head.body.length], [get.status, get.headers, 0], `${path} ${JSON.stringify(headers)}`)
      }
    }
  })

  t.test(`${protocol}: what a handler of HEAD says itself stays`, async (t) => {
    const { request } = await buildApp(t, { protocol, routes })
    t.match(await request('/own-head', { method: 'HEAD' }), { status: 200, headers: { 'content-length': '12', etag: '"a"' } })
  })

  t.test(`${protocol}: an endless stream is not read for HEAD, nor for a 304 or a 412, and closed`, async (t) => {
    const sources: Readable[] = []
    const { request } = await buildApp(t, { protocol, routes: (app) => { endless(app, sources) } })
    for (const [method, headers, status] of [['HEAD', {}, 200], ['GET', { 'if-none-match': '"a"' }, 304], ['GET', { 'if-match': '"b"' }, 412], ['HEAD', { 'if-none-match': '"a"' }, 304]] as const) {
      for (const path of ['/endless', '/explicit/endless', '/web']) t.equal((await request(path, { method, headers })).status, status, `${method} ${path} ${JSON.stringify(headers)}`)
    }
    await eventually(() => sources.length === 12 && sources.every(({ destroyed }) => destroyed))
    // A stream of the web reads ahead.
    t.ok(sources.every(({ readableDidRead }, index) => index % 3 === 2 || !readableDidRead))
  })
}

/** Streams that never end. */
function endless (app: FastifyInstance, sources: Readable[]): void {
  const source = (): Readable => {
    const stream = new Readable({ read () { this.push('x'.repeat(1_000)) } })
    sources.push(stream)
    return stream
  }
  app.get('/endless', async (_request, reply) => reply.header('etag', '"a"').send(source()))
  app.route({ method: ['GET', 'HEAD'], url: '/explicit/endless', exposeHeadRoute: false, handler: async (_request, reply) => reply.header('etag', '"a"').send(source()) })
  app.get('/web', async (_request, reply) => reply.header('etag', '"a"').send(Readable.toWeb(source())))
}

t.test('the hooks of a route run once for GET, and once for its HEAD', async (t) => {
  const ran: string[] = []
  let tagged = 0
  const { request } = await buildApp(t, {
    options: { etag: { hashFn: () => `${++tagged}` } },
    routes: (app) => {
      const onSend = [async (request: { method: string }) => { ran.push(`onSend of ${request.method}`) }]
      const preSerialization = async (request: { method: string }): Promise<undefined> => { ran.push(`preSerialization of ${request.method}`) }
      app.get('/', { onSend, preSerialization }, async () => 'x')
    }
  })
  await request('/')
  await request('/', { method: 'HEAD' })
  t.strictSame(ran, ['onSend of GET', 'onSend of HEAD'])
  t.equal(tagged, 2)
})

t.test('HEAD of an empty 204 says no type, as GET', async (t) => {
  const { request } = await buildApp(t, { routes: (app) => { app.get('/', async (_request, reply) => reply.code(204).type('text/plain').send('')) } })
  const head = await request('/', { method: 'HEAD' })
  t.strictSame([head.status, head.headers], [204, (await request('/')).headers])
})
