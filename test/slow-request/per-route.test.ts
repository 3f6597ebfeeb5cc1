import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Clock } from '../helpers/clock.js'
import { buildApp } from './build-app.js'

/** Every route of the app takes 300 ms. */
function taking300 (routes: (app: FastifyInstance) => void | Promise<void>) {
  return async (app: FastifyInstance, clock: Clock): Promise<void> => {
    app.addHook('preHandler', async () => { clock.advance(300) })
    await routes(app)
  }
}
const handler = async (): Promise<string> => 'done'

t.test('a route\'s own threshold, lower or higher, rules that route alone', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 200 },
    routes: taking300((app) => {
      app.get('/strict', { config: { slowRequest: { threshold: '100ms' } } }, handler)
      app.get('/lax', { config: { slowRequest: { threshold: '1s' } } }, handler)
      app.get('/plain', handler)
    })
  })
  for (const url of ['/strict', '/lax', '/plain']) await app.inject(url)
  await closed(3)
  t.strictSame(slow().map((line) => line.slowRequest!.route), ['/strict', '/plain'])
})

t.test('a route\'s own threshold below the plugin\'s is heeded', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    routes: taking300((app) => {
      app.get('/strict', { config: { slowRequest: { threshold: 300 } } }, handler)
      app.get('/plain', handler)
    })
  })
  for (const url of ['/strict', '/plain']) await app.inject(url)
  await closed(2)
  t.strictSame(slow().map((line) => line.slowRequest!.route), ['/strict'])
})

t.test('slowRequest: false keeps a route out of the log', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 0 },
    routes: taking300((app) => {
      app.get('/events', { config: { slowRequest: false } }, handler)
      app.get('/plain', handler)
    })
  })
  for (const url of ['/events', '/plain']) await app.inject(url)
  await closed(2)
  t.strictSame(slow().map((line) => line.slowRequest!.route), ['/plain'])
})

t.test('global: false watches only the routes that ask for it', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 200, global: false },
    routes: taking300((app) => {
      app.get('/plain', handler)
      app.get('/asks', { config: { slowRequest: true } }, handler)
      app.get('/asks-too', { config: { slowRequest: {} } }, handler)
      app.get('/lax', { config: { slowRequest: { threshold: '1m' } } }, handler)
    })
  })
  for (const url of ['/plain', '/asks', '/asks-too', '/lax', '/no-such-route']) await app.inject(url)
  await closed(5)
  t.strictSame(slow().map((line) => line.slowRequest!.route), ['/asks', '/asks-too'])
})

t.test('the automatic HEAD twin of a GET route has the threshold of its GET', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    routes: taking300((app) => {
      app.get('/strict', { config: { slowRequest: { threshold: 1 } } }, handler)
      app.get('/off', { config: { slowRequest: false } }, handler)
    })
  })
  for (const url of ['/strict', '/off']) await app.inject({ method: 'HEAD', url })
  await closed(2)
  t.strictSame(slow().map(({ slowRequest }) => [slowRequest!.method, slowRequest!.route]), [['HEAD', '/strict']])
})

t.test('a route of several methods has one threshold for them all', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    routes: taking300((app) => {
      app.route({ method: ['GET', 'PUT'], url: '/both', config: { slowRequest: { threshold: 1 } }, handler })
    })
  })
  for (const method of ['GET', 'PUT'] as const) await app.inject({ method, url: '/both' })
  await closed(2)
  t.strictSame(slow().map(({ slowRequest }) => slowRequest!.method), ['GET', 'PUT'])
})

t.test('a prefixed route is named with its prefix, with and without the trailing slash', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    routes: taking300(async (app) => {
      await app.register(async (child) => {
        child.get('/', { prefixTrailingSlash: 'both', config: { slowRequest: { threshold: 1 } } }, handler)
        child.get('/:id', { config: { slowRequest: { threshold: 1 } } }, handler)
      }, { prefix: '/users' })
    })
  })
  for (const url of ['/users', '/users/', '/users/7']) await app.inject(url)
  await closed(3)
  t.match(slow().map(({ slowRequest }) => slowRequest!.route), ['/users', /^\/users\/?$/, '/users/:id'])
  t.equal(slow().length, 3)
})

t.test('the config and the hook arrays that a route was given stay as they were', async (t) => {
  const config = Object.freeze({ mine: 1, slowRequest: Object.freeze({ threshold: 1 }) })
  const onRequest = Object.freeze([async () => {}]) as unknown as Array<() => Promise<void>>
  const options = { config, onRequest }
  const { app, slow, closed } = await buildApp(t, {
    routes: taking300((app) => {
      app.get('/one', options, handler)
      app.get('/two', options, async (request) => Object.keys(request.routeOptions.config))
    })
  })
  await app.inject('/one')
  const seen = await app.inject('/two')
  await closed(2)
  t.equal(slow().length, 2)
  t.strictSame(Reflect.ownKeys(config), ['mine', 'slowRequest'])
  t.equal(onRequest.length, 1)
  t.equal(options.config, config)
  t.strictSame(seen.json(), ['mine', 'slowRequest', 'url', 'method'], 'a handler sees no key of ours in its config')
})

t.test('the configs of other plugins are not judged', async (t) => {
  await t.resolves(buildApp(t, {
    routes: (app) => { app.get('/', { config: { rateLimit: 5, slowRequests: 'not ours' } as object }, handler) }
  }))
})
