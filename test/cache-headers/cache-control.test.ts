import type { FastifyInstance, FastifyReply } from 'fastify'
import { Readable } from 'node:stream'
import t from 'tap'
import cacheHeaders from '../../plugins/cache-headers/index.js'
import { PROTOCOLS } from '../helpers/http-client.js'
import { buildApp } from './build-app.js'

const options = { cacheControl: { public: true, maxAge: '1m', staleWhileRevalidate: '10s' }, cdnCacheControl: { maxAge: '1h' } } as const
const SAID = ['public, max-age=60, stale-while-revalidate=10', 'max-age=3600']
const PERSONAL = ['private, max-age=60, stale-while-revalidate=10', 'no-store']
const NOT_KEPT = ['no-store', 'no-store']

function routes (app: FastifyInstance): void {
  const answer = (url: string, send: (reply: FastifyReply) => unknown, config = {}): void => { app.get(url, { config: { cacheHeaders: config } }, async (_request, reply) => send(reply)) }
  answer('/ok', (reply) => reply.send('x'))
  answer('/tagged', (reply) => reply.header('etag', '"a"').send('x'))
  for (const status of [201, 203, 206, 300, 301, 302, 307, 400, 401, 403, 404, 410, 500, 503]) answer(`/status/${status}`, (reply) => reply.code(status).header('location', '/').send('x'))
  answer('/204', (reply) => reply.code(204).send())
  answer('/listed/404', (reply) => reply.code(404).send('x'), { statuses: [404, 301] })
  answer('/listed/301', (reply) => reply.redirect('/', 301), { statuses: [404, 301] })
  answer('/listed/500', (reply) => reply.code(500).send('x'), { statuses: [404, 301] })
  answer('/thrown', () => { throw new Error('broken') })
  answer('/own', (reply) => reply.header('cache-control', 'max-age=5').send('x'))
  answer('/own-cdn', (reply) => reply.header('cdn-cache-control', 'max-age=5').send('x'))
  answer('/own-of-500', (reply) => reply.code(500).header('cache-control', 'max-age=5').header('cdn-cache-control', 'max-age=5').send('x'))
  answer('/cookie', (reply) => reply.header('set-cookie', 'a=b').send('x'))
  answer('/shared-cookie', (reply) => reply.header('set-cookie', 'a=b').send('x'), { sharePersonal: true })
  answer('/own-of-cookie', (reply) => reply.header('set-cookie', 'a=b').header('cache-control', 'max-age=5').send('x'))
  answer('/shared', (reply) => reply.send('x'), { sharePersonal: true })
  answer('/route', (reply) => reply.send('x'), { cacheControl: 'max-age=7, private="x-a, x-b"', cdnCacheControl: 'max-age=8, foo' })
  answer('/no-store', (reply) => reply.send('x'), { cacheControl: { noStore: true }, cdnCacheControl: { noStore: true } })
  app.get('/off', { config: { cacheHeaders: false } }, async () => 'x')
  app.get('/hook/:status', { onRequest: async (_request, reply) => { reply.header('cache-control', 'public, max-age=9') } }, async (request, reply) => {
    const { status } = request.params as { status: string }
    if (status === '500') throw new Error('broken')
    return await reply.code(Number(status)).send('x')
  })
  app.get('/breaks', async () => new Readable({ read () { this.destroy(new Error('broken')) } }))
  app.get('/invalid', { schema: { querystring: { type: 'object', required: ['a'] } } }, async () => 'x')
}

type Said = Array<string | undefined>
const CASES: Array<[title: string, path: string, headers: Record<string, string>, status: number, said: Said]> = [
  ['a reply that is right says what the plugin was given', '/ok', {}, 200, SAID],
  ['so does a 304', '/tagged', { 'if-none-match': '"a"' }, 304, SAID],
  ...[201, 203, 206].map((status): typeof CASES[number] => [`so does a ${status}`, `/status/${status}`, {}, status, SAID]),
  ['so does a 204', '/204', {}, 204, SAID],
  ...[300, 301, 302, 307, 400, 401, 403, 404, 410, 500, 503].map((status): typeof CASES[number] => [`a ${status} may not be kept`, `/status/${status}`, {}, status, NOT_KEPT]),
  ['what is thrown may not be kept', '/thrown', {}, 500, NOT_KEPT],
  ['a request that is not valid may not be kept', '/invalid', {}, 400, NOT_KEPT],
  ['a 412 may not be kept', '/tagged', { 'if-match': '"b"' }, 412, NOT_KEPT],
  ['a stream that fails before its first byte may not be kept', '/breaks', {}, 500, NOT_KEPT],
  ['a listed status says it too', '/listed/404', {}, 404, SAID],
  ['so does a listed redirect', '/listed/301', {}, 301, SAID],
  ['a status that is not listed does not', '/listed/500', {}, 500, NOT_KEPT],
  ['what the handler says of its reply counts, and no targeted field overrules it', '/own', {}, 200, ['max-age=5', undefined]],
  ['what the handler says to CDNs counts', '/own-cdn', {}, 200, [SAID[0], 'max-age=5']],
  ['what the handler says of an error does not', '/own-of-500', {}, 500, NOT_KEPT],
  ['what a hook has said before counts', '/hook/200', {}, 200, ['public, max-age=9', undefined]],
  ['what a hook has said before does not count of an error', '/hook/500', {}, 500, NOT_KEPT],
  ['nor of a 404', '/hook/404', {}, 404, NOT_KEPT],
  ['what sets a cookie is for its client alone', '/cookie', {}, 200, PERSONAL],
  ['what was asked for with Authorization is for its client alone', '/ok', { authorization: 'Basic eDp5' }, 200, PERSONAL],
  ['so is the 304 of that', '/tagged', { authorization: 'Basic eDp5', 'if-none-match': '"a"' }, 304, PERSONAL],
  ['what sets a cookie can be shared where the route says so', '/shared-cookie', {}, 200, SAID],
  ['what was asked for with Authorization can be shared where the route says so', '/shared', { authorization: 'Basic eDp5' }, 200, SAID],
  ['what the handler says of what sets a cookie counts', '/own-of-cookie', {}, 200, ['max-age=5', undefined]],
  ['a route says its own', '/route', {}, 200, ['max-age=7, private="x-a, x-b"', 'max-age=8, foo']],
  ['what may not be kept stays so for one client', '/no-store', { authorization: 'Basic eDp5' }, 200, NOT_KEPT],
  ['a route that it is switched off on says nothing', '/off', {}, 200, [undefined, undefined]]
]

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: caches are told what may be kept, of each status`, async (t) => {
    const { request } = await buildApp(t, { protocol, options, routes })
    for (const method of ['GET', 'HEAD']) {
      for (const [title, path, sent, status, said] of CASES) {
        // Of a HEAD, the stream is not read.
        if (method === 'HEAD' && path === '/breaks') continue
        const { status: got, headers } = await request(path, { method, headers: sent })
        t.strictSame([got, headers['cache-control'], headers['cdn-cache-control']], [status, ...said], `${method}: ${title}`)
      }
    }
  })
}

t.test('an app that says nothing to caches sends nothing of it, of errors too', async (t) => {
  const { request } = await buildApp(t, { routes })
  for (const path of ['/ok', '/status/404', '/thrown', '/cookie']) t.match((await request(path)).headers, { 'cache-control': undefined, 'cdn-cache-control': undefined }, path)
  t.equal((await request('/hook/500')).headers['cache-control'], 'public, max-age=9')
})

t.test('what is said to CDNs alone leaves Cache-Control away, but for what is personal', async (t) => {
  const { request } = await buildApp(t, { options: { cdnCacheControl: 'max-age=60' }, routes: (app) => { app.get('/', async () => 'x') } })
  t.match((await request('/')).headers, { 'cache-control': undefined, 'cdn-cache-control': 'max-age=60' })
  t.match((await request('/', { headers: { authorization: 'Basic eDp5' } })).headers, { 'cache-control': 'private', 'cdn-cache-control': 'no-store' })
})

t.test('an inner registration says what holds in its scope, once, and its siblings keep the outer one', async (t) => {
  let calls = 0
  const { request } = await buildApp(t, {
    options: { cacheControl: 'max-age=1', etag: { hashFn: () => 'outer' } },
    routes: async (app) => {
      await app.register(async (child) => {
        await child.register(cacheHeaders, {
          cacheControl: 'max-age=2',
          etag: {
            hashFn: () => {
              calls++
              return 'inner'
            }
          }
        })
        child.get('/inner', async () => 'x')
        await child.register(async (deep) => { deep.get('/deep', async () => 'x') })
      })
      await app.register(async (child) => {
        await child.register(cacheHeaders, { global: false })
        child.get('/switched-off', async () => 'x')
        child.get('/switched-on', { config: { cacheHeaders: true } }, async () => 'x')
      })
      await app.register(async (sibling) => { sibling.get('/sibling', async () => 'x') })
      app.get('/outer', async () => 'x')
    }
  })
  const of = async (path: string, method = 'GET'): Promise<unknown[]> => {
    const { headers } = await request(path, { method })
    return [headers['cache-control'], headers.etag]
  }
  t.strictSame([await of('/inner'), await of('/inner', 'HEAD'), await of('/deep')], Array(3).fill(['max-age=2', '"inner"']))
  t.equal(calls, 3)
  t.strictSame([await of('/sibling'), await of('/outer')], Array(2).fill(['max-age=1', '"outer"']))
  t.strictSame(await of('/switched-off'), [undefined, undefined])
  t.match(await of('/switched-on'), [undefined, /^"[\w-]{43}"$/])
})

// RFC 9111 §5.2.2.4 and §5.2.2.7: a sender should not generate the token form.
t.test('the field that private or no-cache names stays in its quotes', async (t) => {
  for (const said of ['private="x-a"', 'no-cache="set-cookie"']) {
    const { request } = await buildApp(t, { options: { cacheControl: said }, routes: (app) => { app.get('/', async () => 'x') } })
    t.equal((await request('/')).headers['cache-control'], said)
  }
})
