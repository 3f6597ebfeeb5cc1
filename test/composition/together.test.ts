import { Writable } from 'node:stream'
import fastifyPostgres from '@fastify/postgres'
import fastify, { type FastifyInstance } from 'fastify'
import headroom, { type HeadroomOptions } from 'fastify-headroom'
import cache from 'fastify-headroom/cache'
import poolHealth from 'fastify-headroom/pool-health'
import slowRequest from 'fastify-headroom/slow-request'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { ownPostgres } from '../helpers/postgres.js'

interface LogEntry extends Record<string, unknown> {
  level: number
  slowRequest?: Record<string, unknown>
}

function newApp (t: Test) {
  let text = ''
  const stream = new Writable({
    write (chunk, _encoding, done) {
      text += String(chunk)
      done()
    }
  })
  const app = fastify({ logger: { stream } })
  t.teardown(() => app.close())
  return { app, lines: () => text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as LogEntry) }
}

/** One route whose handler asks the cache, which asks Postgres. */
function cachedQuery (app: FastifyInstance): void {
  app.get<{ Params: { id: string } }>('/numbers/:id', async (request) => app.cache.getOrSet(`number:${request.params.id}`, async () => {
    const { rows } = await app.pg.query<{ number: number }>('SELECT $1::int AS number', [request.params.id])
    return rows[0]!.number
  }))
}

t.test('the suite serves from the cache while Postgres is away, and counts what broke', async (t) => {
  const server = await ownPostgres(t)
  const { app, lines } = newApp(t)
  const options: HeadroomOptions = { slowRequest: { threshold: 0 }, poolHealth: { logInterval: false } }
  await app.register(fastifyPostgres, { connectionString: server.url, idleTimeoutMillis: 0 })
  await app.register(headroom, options)
  cachedQuery(app)
  t.equal((await app.inject('/numbers/7')).body, '7')
  await server.kill()
  await eventually(() => app.poolHealth.status().main!.errors === 1)
  t.equal((await app.inject('/numbers/7')).body, '7')
  t.equal((await app.inject('/numbers/8')).statusCode, 500)
  await app.close()
  t.strictSame(lines().flatMap(({ slowRequest }) => slowRequest ? [[slowRequest.route, slowRequest.status]] : []), [
    ['/numbers/:id', 200], ['/numbers/:id', 200], ['/numbers/:id', 500]
  ])
})

t.test('each technique works registered alone, in any order', async (t) => {
  const server = await ownPostgres(t)
  const { app } = newApp(t)
  await app.register(fastifyPostgres, { connectionString: server.url })
  await app.register(cache)
  await app.register(poolHealth, { logInterval: false })
  await app.register(slowRequest)
  cachedQuery(app)
  t.equal((await app.inject('/numbers/7')).body, '7')
  t.match(app.poolHealth.status(), { main: { size: 1, waiting: 0 } })
})

t.test('a technique of the suite can be registered again in a scope of its own', async (t) => {
  const { app, lines } = newApp(t)
  await app.register(headroom, { slowRequest: { threshold: '1h' } })
  await app.register(async (child) => {
    await child.register(slowRequest, { threshold: 0 })
    child.get('/inner', async () => 'x')
  })
  app.get('/outer', async () => 'x')
  for (const url of ['/inner', '/outer']) await app.inject(url)
  await app.close()
  t.strictSame(lines().flatMap(({ slowRequest }) => slowRequest ? [slowRequest.route] : []), ['/inner'])
})

t.test('two apps in one process do not share anything', async (t) => {
  const one = newApp(t)
  const two = newApp(t)
  for (const { app } of [one, two]) {
    await app.register(headroom, { slowRequest: { threshold: 0 } })
    app.get('/', async () => 'x')
  }
  await one.app.cache.set('key', 'of one')
  t.equal(await two.app.cache.get('key'), undefined)
  await one.app.inject('/')
  await one.app.close()
  await two.app.close()
  t.equal(one.lines().filter(({ slowRequest }) => slowRequest).length, 1)
  t.equal(two.lines().filter(({ slowRequest }) => slowRequest).length, 0)
})
