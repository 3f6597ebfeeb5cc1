import fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import t from 'tap'
import { appendRouteHook, wrapHandler } from '../../plugins/shared/route-hooks.js'

function build (): FastifyInstance {
  const app = fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  return app
}

t.test('an appended hook runs once, behind the route\'s own, on GET and on its HEAD twin', async (t) => {
  const app = build()
  const order: string[] = []
  const own = [async () => { order.push('own') }]
  app.addHook('onRoute', (route) => { appendRouteHook(route, 'preHandler', async ({ method }) => { order.push(method) }) })
  app.get('/array', { preHandler: own }, async () => 'ok')
  app.get('/single', { preHandler: own[0]! }, async () => 'ok')
  app.get('/none', async () => 'ok')
  for (const url of ['/array', '/single']) {
    for (const method of ['GET', 'HEAD'] as const) {
      order.length = 0
      await app.inject({ method, url })
      t.strictSame(order, ['own', method], `${method} ${url}`)
    }
  }
  order.length = 0
  await app.inject('/none')
  t.strictSame(order, ['GET'])
  t.equal(own.length, 1, 'the array that the host gave is as it was')
})

t.test('the same hook appended twice runs once', async (t) => {
  let runs = 0
  const hook = async (): Promise<void> => { runs++ }
  const app = build()
  app.addHook('onRoute', (route) => { appendRouteHook(route, 'onRequest', hook) })
  app.addHook('onRoute', (route) => { appendRouteHook(route, 'onRequest', hook) })
  app.get('/', async () => 'ok')
  await app.inject('/')
  t.equal(runs, 1)
})

t.test('what is put around a handler runs after hooks that are added later, and keeps this, arguments, result and error', async (t) => {
  const app = build()
  const order: string[] = []
  app.addHook('onRoute', (route: RouteOptions) => {
    wrapHandler(route, async (handle, request, reply) => {
      order.push('around')
      try {
        return await handle(request, reply)
      } finally {
        order.push('after')
      }
    })
  })
  app.addHook('onRoute', (route: RouteOptions) => { appendRouteHook(route, 'preHandler', async () => { order.push('late hook') }) })
  app.get('/', async function (request) {
    order.push('handler')
    return { here: this === app, url: request.url }
  })
  app.get('/bad', async () => { throw new Error('its own') })
  app.get('/sent', (_request, reply) => { void reply.send('sent') })
  t.same((await app.inject('/')).json(), { here: true, url: '/' })
  t.strictSame(order, ['late hook', 'around', 'handler', 'after'])
  t.match((await app.inject('/bad')).json(), { message: 'its own' })
  t.equal((await app.inject('/sent')).body, 'sent')
})
