import fastifyPostgres from '@fastify/postgres'
import type { FastifyInstance } from 'fastify'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../../services/free-port.js'
import poolHealth from '../../plugins/pool-health/index.js'
import { usePostgres } from '../helpers/postgres.js'
import { buildApp, loggingApp, openPool } from './build-app.js'

const away = { statusCode: 503, code: 'FST_HEADROOM_POOL_HEALTH_AWAY', error: 'Service Unavailable', message: 'pool-health: the database does not answer' }

/** An app whose database is not there. */
async function withoutDatabase (t: Test, addRoutes: (app: FastifyInstance, pool: ReturnType<typeof openPool>) => void): Promise<FastifyInstance> {
  const pool = openPool(t, `postgres://postgres@127.0.0.1:${await freePort()}/x`)
  const { app } = await buildApp(t, { pools: { main: pool } }, (app) => { addRoutes(app, pool) })
  return app
}

const guarded = { config: { poolHealth: true } }

t.test('a handler that sends its reply itself is left to it, async or not', async (t) => {
  const pool = openPool(t, 'postgres://127.0.0.1:1/x')
  const { app, lines } = await buildApp(t, { pools: { main: pool } }, (app) => {
    app.get('/returned', guarded, (_request, reply) => reply.send({ ok: true }))
    app.get('/later', guarded, (_request, reply) => {
      setImmediate(() => { void reply.send({ ok: true }) })
      return reply
    })
    app.get('/awaited', guarded, async (_request, reply) => {
      await reply.send({ ok: true })
      return reply
    })
    app.get('/nothing', guarded, (_request, reply) => { void reply.send({ ok: true }) })
    app.get('/thenable', guarded, () => ({ then: (resolve: (value: unknown) => void) => { resolve({ ok: true }) } }))
  })
  for (const url of ['/returned', '/later', '/awaited', '/nothing', '/thenable']) t.strictSame((await app.inject(url)).json(), { ok: true }, url)
  t.strictSame(lines().filter(({ level }) => level >= 40), [])
})

t.test('a database that is away is 503 with Retry-After, and nothing of the database is told', async (t) => {
  const app = await withoutDatabase(t, (app, pool) => {
    app.get('/', guarded, async () => await pool.query('SELECT 1'))
    app.post('/', guarded, async () => await pool.query('SELECT 1'))
    app.get('/hook', { ...guarded, preHandler: async () => { await pool.query('SELECT 1') } }, async () => ({}))
    app.get('/sent', guarded, (_request, reply) => { pool.query('SELECT 1', (error) => { void reply.send(error) }) })
    app.get('/unguarded', async () => await pool.query('SELECT 1'))
    app.get('/wrapped', guarded, async () => {
      try {
        return await pool.query('SELECT 1')
      } catch (cause) {
        throw new Error('the user could not be read', { cause })
      }
    })
  })
  for (const url of ['/', '/wrapped']) {
    const reply = await app.inject(url)
    t.strictSame([reply.json<object>(), reply.headers['retry-after']], [away, '1'], url)
  }
  t.match(await app.inject({ method: 'POST', url: '/' }), { statusCode: 503, headers: { 'retry-after': '1' } }, 'nothing was written yet')
  for (const url of ['/hook', '/sent']) t.strictSame((await app.inject(url)).json(), away, url)
  t.equal((await app.inject('/unguarded')).statusCode, 500)
})

t.test('a write that has been carried out is not to be sent again, though a later query finds the pool busy', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const { app } = await buildApp(t, { pools: { main: pool }, deadline: 30 }, (app) => {
    app.route({
      method: ['POST', 'PUT'],
      url: '/',
      ...guarded,
      handler: async () => {
        await pool.query('SELECT 1')
        held.push(await pool.connect())
        return await pool.query('SELECT 1')
      }
    })
  })
  const held: Array<{ release: () => void }> = []
  await pool.query('SELECT 1')
  for (const [method, retryAfter] of [['POST', undefined], ['PUT', '1']] as const) {
    t.match(await app.inject({ method, url: '/' }), { statusCode: 503, headers: { 'retry-after': retryAfter } }, method)
    for (const client of held.splice(0)) client.release()
  }
})

t.test('a library that puts the pool\'s error into one of its own hides it not', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const { app } = await buildApp(t, { pools: { main: pool }, deadline: 30 }, (app) => {
    app.get('/', guarded, async () => await pool.query('SELECT 1').catch((cause: unknown) => { throw new Error('Failed query: SELECT 1', { cause }) }))
  })
  const client = await pool.connect()
  const replies = [await app.inject('/'), await app.inject('/')]
  client.release()
  for (const reply of replies) t.match([reply.json(), reply.headers['retry-after']], [{ statusCode: 503, code: 'FST_HEADROOM_POOL_HEALTH_BUSY' }, '1'])
  t.match(app.poolHealth.status().main, { expired: 1, refused: 1 })
})

t.test('a pool whose clients cannot be made fails each request, and nothing after it', async (t) => {
  const pool = openPool(t, 'postgres://127.0.0.1:1/x?sslrootcert=/nope.pem')
  const { app } = await buildApp(t, { pools: { main: pool }, deadline: 10 }, (app) => {
    app.get('/', guarded, async () => await pool.query('SELECT 1'))
  })
  for (let n = 0; n < 3; n++) t.equal((await app.inject('/')).statusCode, 500)
  await delay(30)
  t.match(app.poolHealth.status().main, { asked: 3, failed: 3, waiting: 0 })
})

t.test('what another server fails with is no matter of the pool', async (t) => {
  const port = await freePort()
  const app = await withoutDatabase(t, (app) => {
    app.get('/', guarded, async () => await fetch(`http://127.0.0.1:${port}/`))
    app.get('/else', guarded, async () => { throw new TypeError('a mistake') })
  })
  t.equal((await app.inject('/')).statusCode, 500)
  t.match((await app.inject('/else')).json(), { statusCode: 500, message: 'a mistake' })
})

t.test('connections of app.pg, by its connect, its transact and its routes, are the application\'s', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = loggingApp(t)
  await app.register(fastifyPostgres, { connectionString: url })
  await app.register(poolHealth, { logInterval: false, checkSettings: false })
  const by = (): string => app.poolHealth.pools.main!.holders()[0]!.by
  const found: string[] = []
  app.get('/', { pg: { transact: true } }, async () => {
    found.push(by())
    return {}
  })
  await app.ready()
  const client = await app.pg.connect()
  found.push(by())
  client.release()
  await app.pg.transact(async () => { found.push(by()) })
  await app.inject('/')
  t.match(found.slice(0, 2), [/guarded-routes\.test/, /guarded-routes\.test/])
  t.notMatch(found[2], /plugins[\\/]pool-health/, 'a hook that the application has not written: at least none of ours')
  t.match(app.poolHealth.status().main, { acquired: 3, released: 3, dirty: 0 })
})
