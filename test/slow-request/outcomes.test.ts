import { Readable } from 'node:stream'
import t from 'tap'
import { buildApp, listen } from './build-app.js'

const all = { threshold: 0 }

t.test('a request that no route matched is logged under the route "other", at the plugin\'s threshold', async (t) => {
  const { app, slow, closed } = await buildApp(t, { options: all, routes: () => {} })
  await app.inject('/no/such/route')
  await closed(1)
  t.match(slow(), [{ slowRequest: { method: 'GET', route: 'other', status: 404 } }])
})

t.test('slow authentication counts, and so does a reply that it gave', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    routes: (app, clock) => {
      app.addHook('onRequest', async (request, reply) => {
        clock.advance(600)
        if (request.headers.authorization === undefined) return reply.code(401).send({ error: 'who are you?' })
      })
      app.get('/account', async () => 'yours')
    }
  })
  await app.inject('/account')
  await app.inject({ url: '/account', headers: { authorization: 'Bearer x' } })
  await closed(2)
  t.match(slow().map((line) => line.slowRequest), [
    { route: '/account', status: 401, elapsed: 600 },
    { route: '/account', status: 200, elapsed: 600 }
  ])
})

t.test('a handler that throws is logged with the status that was sent', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: all,
    routes: (app) => {
      app.get('/sync', () => { throw new Error('no') })
      app.get('/async', async () => { throw Object.assign(new Error('gone'), { statusCode: 410 }) })
    }
  })
  for (const url of ['/sync', '/async']) await app.inject(url)
  await closed(2)
  t.strictSame(slow().map(({ slowRequest }) => [slowRequest!.route, slowRequest!.status]), [['/sync', 500], ['/async', 410]])
})

t.test('a streamed reply is timed to its last byte', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    routes: (app, clock) => {
      app.get('/export', async () => Readable.from((function * () {
        yield 'first,'
        clock.advance(900)
        yield 'last'
      })()))
    }
  })
  const port = await listen(app)
  const body = await (await fetch(`http://127.0.0.1:${port}/export`)).text()
  await closed(1)
  t.equal(body, 'first,last')
  t.match(slow(), [{ slowRequest: { route: '/export', status: 200, elapsed: 900 } }])
  t.notHas(slow()[0]!.slowRequest, { aborted: true })
})

t.test('a stream that fails midway is logged once', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: all,
    routes: (app) => {
      app.get('/export', async () => Readable.from((function * () {
        yield 'first,'
        throw new Error('cursor lost')
      })()))
    }
  })
  const port = await listen(app)
  await t.rejects(async () => (await fetch(`http://127.0.0.1:${port}/export`)).text())
  await closed(1)
  t.match(slow(), [{ slowRequest: { route: '/export', status: 200 } }])
  t.equal(slow().length, 1)
})

t.test('a hijacked reply is logged when its own response ends', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    routes: (app, clock) => {
      app.get('/raw', (_request, reply) => {
        reply.hijack()
        clock.advance(700)
        reply.raw.writeHead(202)
        reply.raw.end('raw')
      })
    }
  })
  const port = await listen(app)
  const body = await (await fetch(`http://127.0.0.1:${port}/raw`)).text()
  await closed(1)
  t.equal(body, 'raw')
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'GET', route: '/raw', status: 202, elapsed: 700 }])
})

t.test('a complete reply to inject() is not called aborted', async (t) => {
  const { app, slow, closed } = await buildApp(t, { options: all, routes: (app) => { app.get('/', async () => 'complete') } })
  const response = await app.inject('/')
  await closed(1)
  t.equal(response.body, 'complete')
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'GET', route: '/', status: 200, elapsed: 0 }])
})

t.test('a route that answers with callNotFound() is logged under its own pattern', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: all,
    routes: (app) => { app.get('/users/:id', (_request, reply) => { reply.callNotFound() }) }
  })
  const response = await app.inject('/users/7')
  await closed(1)
  t.equal(response.statusCode, 404)
  t.match(slow(), [{ slowRequest: { route: '/users/:id', status: 404 } }])
})

t.test('a route that answers with callNotFound() keeps its own threshold and its slowRequest: false', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 500 },
    routes: (app, clock) => {
      app.get('/strict', { config: { slowRequest: { threshold: 100 } } }, (_request, reply) => {
        clock.advance(200)
        reply.callNotFound()
      })
      app.get('/off', { config: { slowRequest: false } }, (_request, reply) => {
        clock.advance(900)
        reply.callNotFound()
      })
    }
  })
  await app.inject('/strict')
  await app.inject('/off')
  await closed(2)
  t.strictSame(slow().map((line) => line.slowRequest!.elapsed), [200])
})
