import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { manualClock } from '../helpers/clock.js'
import { usePostgres } from '../helpers/postgres.js'
import { buildApp, leakLines, listen, openPool } from './build-app.js'
import { fakeIntervals } from './fake-intervals.js'

t.test('a leak is told once, with file, line, route and request, and once more when it comes back', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  const { now, advance } = manualClock()
  const timers = fakeIntervals(t)
  const { app, lines } = await buildApp(t, { pools: { main: pool }, leakThreshold: '30s', now }, (app) => {
    app.post('/orders/:id', async (request) => {
      const client = await pool.connect()
      if ((request.query as { leak?: string }).leak !== undefined) leaked.push(client)
      else client.release()
      return {}
    })
  })
  const leaked: Array<{ release: () => void }> = []
  const told = listen(t, 'leak', 'leak-returned')

  const reply = await app.inject({ method: 'POST', url: '/orders/7?leak=1', payload: { card: 'secret' } })
  t.equal(reply.statusCode, 200)
  await app.inject({ method: 'POST', url: '/orders/8' })
  advance(29_999)
  timers[0]!.tick()
  t.strictSame(leakLines(lines), [], 'not before its time')
  advance(2)
  timers[0]!.tick()
  const [line] = leakLines(lines)
  t.match(line, {
    level: 40,
    pool: 'main',
    leak: { held: 30_001, method: 'POST', route: '/orders/:id', requestId: /^req-/, site: /[\\/]test[\\/]pool-health[\\/]leaks\.test\.[jt]s:\d+:\d+$/ },
    msg: 'a connection of the pool is held for too long'
  })
  t.ok(Array.isArray((line!.leak as { stack: unknown }).stack))
  t.notMatch(JSON.stringify(line), /secret|leak=1|orders\/7/)
  t.match(app.poolHealth.status().main, { leaked: 1, leaking: 1 })
  t.equal(app.poolHealth.advise().main!.verdict, 'leak')
  t.match(app.poolHealth.pools.main!.holders(), [{ by: /leaks\.test/, connections: 1, longest: 30_001 }])

  advance(60_000)
  timers[0]!.tick()
  t.equal(leakLines(lines).length, 1, 'once')
  t.match(told, [['leak', { pool: 'main', held: 30_001, route: '/orders/:id' }]])
  leaked[0]!.release()
  t.match(told[1], ['leak-returned', { how: 'returned', held: 90_001 }])
  t.match(leakLines(lines)[1], { leak: { held: 90_001, route: '/orders/:id' }, msg: 'a connection that was held for too long came back' })
  t.match(app.poolHealth.status().main, { leaked: 1, leaking: 0, acquired: 2, released: 2 })
})

t.test('without destroyLeaked nobody loses a connection; with it, the connection is closed and its place is free', async (t) => {
  const { url } = await usePostgres(t)
  for (const destroyLeaked of [false, '60s'] as const) {
    const pool = openPool(t, url, { max: 1 })
    const { now, advance } = manualClock()
    const timers = fakeIntervals(t)
    const { app, lines } = await buildApp(t, { pools: { main: pool }, leakThreshold: '30s', destroyLeaked, now })
    const client = await pool.connect()
    const next = pool.connect()
    advance(59_000)
    timers[0]!.tick()
    t.match(app.poolHealth.status().main, { leaked: 1, size: 1, waiting: 1 })
    advance(2_000)
    timers[0]!.tick()
    if (destroyLeaked === false) {
      await client.query('SELECT 1')
      t.equal(app.poolHealth.status().main!.waiting, 1)
      client.release()
    } else {
      t.match(leakLines(lines)[1], { msg: 'a connection that was held for too long was taken away and closed' })
      await t.rejects(client.query('SELECT 1'))
    }
    const other = await next
    await other.query('SELECT 1')
    if (destroyLeaked !== false) {
      client.release()
      t.throws(() => { client.release() }, /already been released/, 'a second release is as wrong as ever')
    }
    other.release()
    t.match(app.poolHealth.status().main, { leaking: 0, acquired: 2, released: 2, size: 1, idle: 1 })
    t.equal(leakLines(lines).length, 2)
  }
})

t.test('who hears that a connection is taken away may give it back', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const { now, advance } = manualClock()
  const timers = fakeIntervals(t)
  const { app } = await buildApp(t, { pools: { main: pool }, leakThreshold: '30s', destroyLeaked: '30s', now })
  const client = await pool.connect()
  const giveBack = (): void => { client.release() }
  subscribe('headroom:pool-health:leak-returned', giveBack)
  t.teardown(() => { unsubscribe('headroom:pool-health:leak-returned', giveBack) })
  advance(30_000)
  t.doesNotThrow(() => { timers[0]!.tick() })
  await pool.query('SELECT 1')
  t.match(app.poolHealth.status().main, { leaked: 1, leaking: 0, acquired: 2, released: 2, closed: 1, size: 1, idle: 1 })
})

t.test('a query that runs for too long is told with its statement, without its values', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  const { now, advance } = manualClock()
  const timers = fakeIntervals(t)
  const { app, lines } = await buildApp(t, { pools: { main: pool }, leakThreshold: '30s', now })
  const running = pool.query("SELECT pg_sleep(0.9), 'p4ssw0rd', $1::text", ['value-secret'])
  await eventually(() => app.poolHealth.status().main!.acquired === 1)
  advance(30_000)
  timers[0]!.tick()
  t.match(leakLines(lines), [{ leak: { sql: 'SELECT pg_sleep(?), ?, $1::text' } }])
  await running
  t.equal(leakLines(lines).length, 2)
})

t.test('a connection that is acquired by a callback is known', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  const { app } = await buildApp(t, { pools: { main: pool } })
  const held = await new Promise<{ release: () => void }>((resolve, reject) => {
    pool.connect((error, client) => { if (error) reject(error); else resolve(client!) })
  })
  t.match(app.poolHealth.pools.main!.holders(), [{ by: /leaks\.test/, connections: 1 }])
  held.release()
  t.strictSame(app.poolHealth.pools.main!.holders(), [])
})

t.test('holders of one call site are counted together, the most first', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 4 })
  const { app } = await buildApp(t, { pools: { main: pool } })
  const one = async (): Promise<{ release: () => void }> => await pool.connect()
  const many = async (): Promise<{ release: () => void }> => await pool.connect()
  const clients = [await one(), await many(), await many(), await many()]
  t.match(app.poolHealth.pools.main!.holders().map(({ connections }) => connections), [3, 1])
  for (const client of clients) client.release()
})
