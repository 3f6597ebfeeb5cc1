import type { FastifyInstance } from 'fastify'
import t from 'tap'
import slowRequest from '../../plugins/slow-request/index.js'
import type { Clock } from '../helpers/clock.js'
import { buildApp } from './build-app.js'

/** Answers after 300 ms. */
function route (app: FastifyInstance, clock: Clock, url: string, config = {}): void {
  app.get(url, { config }, async () => {
    clock.advance(300)
    return 'done'
  })
}

t.test('registered again in a child scope, the inner one rules its routes and one line is written', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 1 },
    routes: async (app, clock) => {
      route(app, clock, '/root')
      await app.register(async (child) => {
        await child.register(slowRequest, { threshold: 300, now: clock.now })
        route(child, clock, '/inner')
        await child.register(async (grandchild) => { route(grandchild, clock, '/inner/deep') })
      })
      await app.register(async (child) => {
        await child.register(slowRequest, { threshold: 301, now: clock.now })
        route(child, clock, '/quiet')
      })
      await app.register(async (child) => { route(child, clock, '/plain') })
    }
  })
  for (const url of ['/root', '/inner', '/inner/deep', '/quiet', '/plain']) await app.inject(url)
  await closed(5)
  t.strictSame(slow().map((line) => line.slowRequest!.route), ['/root', '/inner', '/inner/deep', '/plain'])
})

t.test('an inner registration with global: false switches its scope off, not its parent or siblings', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 0 },
    routes: async (app, clock) => {
      await app.register(async (child) => {
        await child.register(slowRequest, { global: false, now: clock.now })
        route(child, clock, '/off')
        route(child, clock, '/on', { slowRequest: { threshold: 1 } })
      })
      await app.register(async (sibling) => { route(sibling, clock, '/sibling') })
      route(app, clock, '/root')
    }
  })
  for (const url of ['/off', '/on', '/sibling', '/root']) await app.inject(url)
  await closed(4)
  t.strictSame(slow().map((line) => line.slowRequest!.route), ['/on', '/sibling', '/root'])
})

t.test('a mistake is reported by the registration that rules the route', async (t) => {
  await t.rejects(buildApp(t, {
    routes: async (app) => {
      await app.register(async (child) => {
        await child.register(slowRequest)
        child.get('/inner', { config: { slowRequest: 5 as never } }, async () => 'x')
      })
    }
  }), { code: 'FST_HEADROOM_SLOW_REQUEST_OPTION', message: /route GET \/inner/ })
})

t.test('a route that stands before the inner registration of its scope is still watched', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 0 },
    routes: async (app, clock) => {
      await app.register(async (child) => {
        route(child, clock, '/before')
        await child.register(slowRequest, { threshold: 0, now: clock.now })
        route(child, clock, '/after')
      })
    }
  })
  for (const url of ['/before', '/after']) await app.inject(url)
  await closed(2)
  t.strictSame(slow().map((line) => line.slowRequest!.route), ['/before', '/after'])
})

t.test('a scope with a not-found handler of its own logs its 404 once, at the inner threshold', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 1_000 },
    routes: async (app, clock) => {
      await app.register(async (child) => {
        await child.register(slowRequest, { threshold: 300, now: clock.now })
        child.setNotFoundHandler(async (_request, reply) => {
          clock.advance(300)
          return reply.code(404).send('nothing here')
        })
      }, { prefix: '/api' })
    }
  })
  await app.inject('/api/nothing')
  await app.inject('/nothing')
  await closed(2)
  t.match(slow(), [{ slowRequest: { route: 'other', status: 404 } }])
  t.equal(slow().length, 1)
})
