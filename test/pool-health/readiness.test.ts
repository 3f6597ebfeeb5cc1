import underPressure from '@fastify/under-pressure'
import fastify from 'fastify'
import t from 'tap'
import { manualClock } from '../helpers/clock.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { connectTo } from '../helpers/http-client.js'
import { ownPostgres } from '../helpers/postgres.js'
import poolHealth from '../../plugins/pool-health/index.js'
import { buildApp, listen, openPool } from './build-app.js'
import { fakeIntervals } from './fake-intervals.js'

const server = await ownPostgres(t)

t.test('a pool is ready while Postgres answers, is not from the moment that it is seen to be away, and is again by itself', async (t) => {
  const idle = openPool(t, server.url)
  const held = openPool(t, server.url)
  const { app } = await buildApp(t, { pools: { idle, held } })
  await idle.query('SELECT 1')
  const client = await held.connect()
  t.equal(await app.poolHealth.isReady(), true)
  t.match(app.poolHealth.status(), { idle: { ready: true }, held: { ready: true } })

  await server.kill()
  await eventually(() => app.poolHealth.status().idle!.errors === 1)
  t.equal(await app.poolHealth.pools.idle!.isReady(), false, 'though it has answered a moment ago')
  await t.rejects(client.query('SELECT 1'))
  client.release()
  t.equal(await app.poolHealth.pools.held!.isReady(), false, 'that a client came back says nothing, where its connection was lost')
  t.match(app.poolHealth.status(), { idle: { ready: false }, held: { ready: false } })
  t.equal(await app.poolHealth.isReady(), false)

  await server.restart()
  await eventually(() => Object.values(app.poolHealth.status()).every(({ ready }) => ready))
  t.equal(await app.poolHealth.isReady(), true)
})

t.test('while the database is away no advice is given but that; it is told once, and when it is back the pool is judged anew', async (t) => {
  const pool = openPool(t, server.url, { max: 1, connectionTimeoutMillis: 100 })
  const told = listen(t, 'away', 'back')
  const { app, lines } = await buildApp(t, { pools: { main: pool } }, (app) => {
    app.get('/', { config: { poolHealth: { deadline: 50 } } }, async () => await pool.query('SELECT 1'))
  })
  await pool.query('SELECT 1')
  await server.kill()
  const until = performance.now() + 1_200
  while (performance.now() < until) t.equal((await app.inject('/')).statusCode, 503)
  t.match(app.poolHealth.advise().main, { verdict: 'away', reason: /has not answered for [\d.]+ s/, suggestedMax: undefined })
  await server.restart()
  await eventually(() => app.poolHealth.status().main!.ready)
  t.match(app.poolHealth.advise().main, { verdict: 'healthy', queued: 0 })
  t.match(told, [['away', { pool: 'main' }], ['back', { pool: 'main', elapsed: Number }]])
  t.match(lines().filter(({ msg }) => /database of the pool/.test(msg)), [
    { level: 40, pool: 'main', msg: 'the database of the pool does not answer' }, { level: 30, pool: 'main', msg: 'the database of the pool answers again' }
  ])
})

t.test('one connection that is lost makes a pool not ready for no moment', async (t) => {
  const pool = openPool(t, server.url)
  const { app } = await buildApp(t, { pools: { main: pool } })
  const other = await pool.connect()
  const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  await other.query(`SELECT pg_terminate_backend(${rows[0]!.pid}, 5000)`)
  await eventually(() => app.poolHealth.status().main!.errors === 1)
  t.equal(app.poolHealth.status().main!.ready, true)
  t.equal(await app.poolHealth.isReady(), true)
  other.release()
})

t.test('a server that hangs makes a pool not ready in two seconds, and no later than others are asked', async (t) => {
  const pool = openPool(t, server.url)
  const { now, advance } = manualClock()
  const { app } = await buildApp(t, { pools: { main: pool }, now })
  await pool.query('SELECT 1')
  await server.pause()
  advance(5_001)
  const start = performance.now()
  let questions = 0
  pool.on('acquire', () => questions++)
  const answers = await Promise.all(Array.from({ length: 100 }, () => app.poolHealth.isReady()))
  t.ok(performance.now() - start < 2_500)
  t.ok(answers.every((ready) => !ready))
  t.match(app.poolHealth.status().main, { asked: 1, ready: false }, 'a question is no caller')
  t.equal(questions, 1, 'a hundred who ask are one question')
  await server.resume()
  await eventually(() => app.poolHealth.status().main!.ready)
})

t.test('a connection that comes back unused, or was used before, is no sign that a server which hangs is back', async (t) => {
  const pool = openPool(t, server.url, { max: 3 })
  const { now, advance } = manualClock()
  // Nobody looks, and asks it.
  fakeIntervals(t)
  const { app, lines } = await buildApp(t, { pools: { main: pool }, now })
  const used = await pool.connect()
  await used.query('SELECT 1')
  const waiting = await pool.connect()
  ;(await pool.connect()).release()
  await server.pause()
  advance(5_001)
  t.equal(await app.poolHealth.isReady(), false)
  used.release()
  ;(await pool.connect()).release()
  t.equal(app.poolHealth.status().main!.ready, false)
  t.equal(app.poolHealth.advise().main!.verdict, 'away')
  t.notOk(lines().some(({ msg }) => /answers again/.test(msg)))
  await server.resume()
  await waiting.query('SELECT 1')
  waiting.release()
  t.equal(app.poolHealth.status().main!.ready, true, 'an answer is')
})

t.test('a pool that is busy is ready, and one whose connections are all held for too long is not, until one comes back', async (t) => {
  const pool = openPool(t, server.url, { max: 2 })
  const { now, advance } = manualClock()
  const { app } = await buildApp(t, { pools: { main: pool }, leakThreshold: '30s', now })
  const clients = [await pool.connect(), await pool.connect()]
  for (const [seconds, ready] of [[0, true], [29, true], [2, false]] as const) {
    advance(seconds * 1_000)
    t.equal(app.poolHealth.status().main!.ready, ready, `${seconds} s more`)
    if (seconds !== 29) t.equal(await app.poolHealth.isReady(), ready)
  }
  clients[0]!.release()
  t.equal(await app.poolHealth.isReady(), true)
  clients[1]!.release()
  t.match(app.poolHealth.status().main, { asked: 2, refused: 0 }, 'who asks is no caller')
})

t.test('a pool whose callers wait for longer than its connectionTimeoutMillis is busy, and not away', async (t) => {
  const pool = openPool(t, server.url, { max: 1, connectionTimeoutMillis: 300 })
  const { app } = await buildApp(t, { pools: { main: pool } }, (app) => {
    app.post('/', { config: { poolHealth: { deadline: '5s' } } }, async () => await pool.connect())
  })
  const client = await pool.connect()
  await t.rejects(pool.connect(), /^timeout exceeded when trying to connect$/)
  const { statusCode, headers, body } = await app.inject({ method: 'POST', url: '/' })
  t.match({ statusCode, body }, { statusCode: 503, body: /FST_HEADROOM_POOL_HEALTH_BUSY/ })
  t.equal(headers['retry-after'], '1')
  t.match(app.poolHealth.status().main, { ready: true, timeouts: 2, asked: 3, acquired: 1 })
  client.release()
})

t.test('whoever closes the app is not ready before the hooks of later plugins, while requests are still answered', async (t) => {
  const pool = openPool(t, server.url)
  const app = fastify({ return503OnClosing: false })
  await app.register(poolHealth, { pools: { main: pool }, checkSettings: false, logInterval: false })
  const handlers = gate()
  app.get('/ready', async () => ({ ready: await app.poolHealth.isReady() }))
  app.get('/slow', async () => {
    await handlers.pass()
    return { ready: await app.poolHealth.isReady(), rows: (await pool.query('SELECT 1 AS one')).rows }
  })
  const seen: unknown[] = []
  app.addHook('preClose', async () => {
    seen.push(await app.poolHealth.isReady(), app.poolHealth.status().main!.ready, JSON.parse(String((await client.request('/ready')).body)))
    handlers.open()
    seen.push(JSON.parse(String((await slow).body)))
  })
  const client = await connectTo(t, app)
  t.strictSame(JSON.parse(String((await client.request('/ready')).body)), { ready: true })
  const slow = client.request('/slow')
  await handlers.arrived()
  await app.close()
  t.strictSame(seen, [false, false, { ready: false }, { ready: false, rows: [{ one: 1 }] }])
  t.equal(await app.poolHealth.isReady(), false)
  await pool.end()
})

t.test('it is the health check of @fastify/under-pressure: 503 while Postgres is away, and 200 when it is back', async (t) => {
  const pool = openPool(t, server.url)
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(poolHealth, { pools: { main: pool }, checkSettings: false, logInterval: false })
  await app.register(underPressure, { healthCheck: async () => await app.poolHealth.isReady(), healthCheckInterval: 50 })
  app.get('/', async () => ({}))
  const status = async (): Promise<number> => (await app.inject('/')).statusCode
  t.equal(await status(), 200)
  await server.kill()
  await eventually(async () => await status() === 503)
  await server.restart()
  await eventually(async () => await status() === 200)
})
