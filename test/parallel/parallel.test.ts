import { once } from 'node:events'
import http2 from 'node:http2'
import { connect, type AddressInfo } from 'node:net'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import parallel, { type ParallelPluginOptions } from '../../plugins/parallel/index.js'
import { ClientLeftError } from '../../plugins/shared/client-signal.js'
import { followRequests } from '../../plugins/shared/request-context.js'
import { withResolvers } from '../../plugins/shared/with-resolvers.js'
import { collectSpans, enableSpans, type Span } from '../../plugins/shared/spans.js'
import { gate } from '../helpers/gate.js'
import { newApp, PROTOCOLS, type Protocol } from '../helpers/http-client.js'

async function buildApp (t: Test, options: ParallelPluginOptions, add: (app: FastifyInstance) => void): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(parallel, options)
  add(app)
  await app.ready()
  return app
}

t.test('independent work is done side by side, and each result has its name', async (t) => {
  const [user, posts] = [gate<string>(), gate<string[]>()]
  const app = await buildApp(t, {}, (app) => {
    app.get('/', async (request) => await request.parallel({ user: user.pass, posts: posts.pass, constant: () => 1, __proto__: () => 2 }))
    app.get('/own-name', async (request) => await request.parallel(JSON.parse('{"__proto__":1}', (_key, value: unknown) => value === 1 ? () => 2 : value) as Record<string, () => number>))
  })
  const reply = app.inject('/')
  await Promise.all([user.arrived(), posts.arrived()])
  posts.open(['a post'])
  user.open('Ada')
  t.strictSame((await reply).json(), { user: 'Ada', posts: ['a post'], constant: 1 })
  t.equal((await app.inject('/own-name')).body, '{"__proto__":2}')
})

t.test('the first failure is the error of the call; with settle it is one result among others', async (t) => {
  const app = await buildApp(t, {}, (app) => {
    const branches = (request: FastifyRequest): [Record<string, () => unknown>] => [{ user: async () => await Promise.reject(new Error(`no user of ${request.id}`)), posts: () => [1] }]
    app.get('/', async (request) => await request.parallel(...branches(request)))
    app.get('/settle', async (request) => {
      const { user, posts } = await request.parallel(...branches(request), { settle: true })
      return { user: user?.status === 'rejected' && String(user.reason), posts }
    })
  })
  t.match((await app.inject('/')).json(), { statusCode: 500, message: /no user of req-/ })
  t.match((await app.inject('/settle')).json(), { user: /no user of req-/, posts: { status: 'fulfilled', value: [1] } })
})

t.test('who is late is named in a 504 and on the channel; a call has its own deadline before that of all', async (t) => {
  const told: unknown[] = []
  const hear = (message: unknown): void => { told.push(message) }
  subscribe('headroom:parallel:late', hear)
  t.teardown(() => unsubscribe('headroom:parallel:late', hear))
  const never = async (): Promise<void> => { await new Promise(() => {}) }
  const app = await buildApp(t, { deadline: '20ms' }, (app) => {
    app.get('/users/:id', async (request) => await request.parallel({ user: () => 1, posts: never, friends: never }))
    for (const deadline of ['5s', false] as const) app.get(`/patient/${deadline}`, async (request) => await request.parallel({ user: async () => await delay(60, 'late') }, { deadline }))
  })
  t.match((await app.inject('/users/7?secret=1')).json(), { statusCode: 504, code: 'FST_HEADROOM_PARALLEL_DEADLINE', message: 'parallel: not there within 20 ms: posts, friends' })
  for (const path of ['/patient/5s', '/patient/false']) t.strictSame((await app.inject(path)).json(), { user: 'late' })
  t.strictSame(told, [{ method: 'GET', route: '/users/:id', deadline: 20, late: ['posts', 'friends'] }])
})

/** Sends a POST, whose body is there at once, and can hang up. */
const POSTS: Record<Protocol, (t: Test, port: number) => Promise<() => void>> = {
  async 'HTTP/1.1' (t, port) {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => { socket.destroy() })
    await once(socket, 'connect')
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')
    return () => { socket.destroy() }
  },
  async 'HTTP/2' (t, port) {
    const session = http2.connect(`http://127.0.0.1:${port}`)
    t.teardown(() => { session.destroy() })
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-type': 'application/json' })
    stream.on('error', () => {})
    stream.end('{}')
    return () => { stream.close(http2.constants.NGHTTP2_CANCEL) }
  }
}

for (const protocol of PROTOCOLS) {
  t.test(`over ${protocol} a client that leaves ends all branches, and not sooner`, async (t) => {
    const app = newApp(t, protocol)
    await app.register(parallel)
    const reached = gate()
    const [reason, failure] = [withResolvers<unknown>(), withResolvers<unknown>()]
    let isAborted: boolean | undefined
    app.post('/', async (request) => {
      await request.parallel({
        async endless (signal) {
          signal.addEventListener('abort', () => { reason.resolve(signal.reason) })
          // As long as it takes Node to say that the body has been read.
          await delay(20)
          isAborted = signal.aborted
          await reached.pass()
        }
      }, { settle: true }).catch(failure.resolve)
      return 'left'
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const hangUp = await POSTS[protocol](t, (app.server.address() as AddressInfo).port)
    await reached.arrived()
    t.equal(isAborted, false)
    hangUp()
    t.ok(await reason.promise instanceof ClientLeftError)
    t.ok(await failure.promise instanceof ClientLeftError)
  })
}

t.test('each branch is a span of its request', async (t) => {
  t.teardown(enableSpans())
  const spans: Span[] = []
  const app = await buildApp(t, {}, (app) => {
    followRequests(app)
    app.get('/', async (request) => await collectSpans((span) => { spans.push(span) }, async () => await request.parallel({ user: async () => await delay(5, 1), posts: () => 2 })))
  })
  await app.inject('/')
  t.match(spans, [{ name: 'user', end: Number }, { name: 'posts', end: Number }])
})

t.test('what is wrong stops the boot, or is an error of the call that says what was expected', async (t) => {
  const code = 'FST_HEADROOM_PARALLEL_OPTION'
  for (const [options, message] of [
    [{ deadlin: 1 }, /options\.deadlin: .*did you mean "deadline"/],
    [{ deadline: 0 }, /options\.deadline: expected a duration of 1 ms or more/],
    [{ concurrency: 0 }, /options\.concurrency: expected a number from 1/],
    [{ decorateAs: '' }, /options\.decorateAs/]
  ] as const) await t.rejects(buildApp(t, options as object, () => {}), { code, message })
  const app = await buildApp(t, { decorateAs: 'together' }, (app) => {
    const together = (request: FastifyRequest): (...args: unknown[]) => Promise<unknown> => Reflect.get(request, 'together').bind(request)
    app.get('/array', async (request) => await together(request)([async () => 1]))
    app.get('/promise', async (request) => await together(request)({ user: Promise.resolve(1) }))
    app.get('/signal', async (request) => await together(request)({}, { signal: {} }))
    app.get('/right', async (request) => await together(request)({ one: () => 1 }))
  })
  t.match((await app.inject('/array')).json(), { code, message: 'parallel: request.together: expected an object of functions, got an array of 1' })
  t.match((await app.inject('/promise')).json(), { code, message: 'parallel: request.together.user: expected a function, got an instance of Promise' })
  t.match((await app.inject('/signal')).json(), { code, message: 'parallel: request.together.signal: expected an AbortSignal, got an object' })
  t.strictSame((await app.inject('/right')).json(), { one: 1 })
})

t.test('a child scope can have it otherwise', async (t) => {
  const app = await buildApp(t, { deadline: '5s' }, (app) => {
    const late = async (request: FastifyRequest): Promise<unknown> => await request.parallel({ late: async () => await delay(40, 1) })
    app.get('/patient', late)
    void app.register(async (child) => {
      await child.register(parallel, { deadline: '5ms' })
      child.get('/impatient', late)
    })
  })
  t.equal((await app.inject('/patient')).statusCode, 200)
  t.equal((await app.inject('/impatient')).statusCode, 504)
})
