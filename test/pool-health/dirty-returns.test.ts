import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type pg from 'pg'
import Cursor from 'pg-cursor'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { ownPostgres, query } from '../helpers/postgres.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import type { Duration } from '../../plugins/shared/units.js'
import { buildApp, openPool, type LogEntry, type Logged } from './build-app.js'

/** A client is closed when what it was given back with has not been undone in so many milliseconds; and what a busy machine adds. */
const PATIENCE = { least: 900, most: 3_000 }

const OLDER: string = 'pg-without-status'

/** pg 8.20, whose types are those of the newer one. */
const { default: { Pool: OlderPool } } = await import(OLDER) as { default: { Pool: typeof pg.Pool } }

const server = await ownPostgres(t)
await query(server.url, 'CREATE TABLE orders (id text)')

interface Found {
  pid: number
  transaction: string | null
  isOwn: boolean
  rows: number
}

/** What a user of the pool finds: `isOwn` where the statement is its own transaction. */
async function look (pool: pg.Pool): Promise<Found> {
  const { rows } = await pool.query<Found>(`SELECT pg_backend_pid() AS pid, pg_current_xact_id_if_assigned()::text AS transaction,
    now() = statement_timestamp() AS "isOwn", (SELECT count(*)::int FROM orders) AS rows`)
  return rows[0]!
}

const CLEAN = { transaction: null, isOwn: true, rows: 0 }

async function scene (t: Test, options: pg.PoolConfig = {}, addRoutes: Parameters<typeof buildApp>[2] = () => {}, leakThreshold: Duration = '30s'): Promise<Logged & { pool: pg.Pool }> {
  const pool = openPool(t, server.url, { max: 1, ...options })
  return { pool, ...await buildApp(t, { pools: { main: pool }, leakThreshold }, addRoutes) }
}

const dirtyLines = (lines: () => LogEntry[]): LogEntry[] => lines().filter(({ dirtyReturn }) => dirtyReturn !== undefined)

async function pidOf (client: pg.ClientBase): Promise<number> {
  return (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid
}

t.test('a client that is given back in a transaction is rolled back and told, and the next user finds nothing of it', async (t) => {
  const told: unknown[] = []
  const listen = (message: unknown): void => { told.push(message) }
  subscribe('headroom:pool-health:dirty-return', listen)
  t.teardown(() => { unsubscribe('headroom:pool-health:dirty-return', listen) })
  const { pool, app, lines } = await scene(t, {}, (app) => {
    app.post('/orders/:fails', async (request) => {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        await client.query("INSERT INTO orders VALUES ('uncommitted')")
        if ((request.params as { fails: string }).fails === 'yes') await t.rejects(client.query('SELECT 1 / 0'))
        return { pid: await pidOf(client).catch(() => undefined) }
      } finally {
        client.release()
      }
    })
    app.get('/begin', async () => { await pool.query('BEGIN /* card 4711 */'); return {} })
  })
  const { pid } = await look(pool)

  await app.inject({ method: 'POST', url: '/orders/no' })
  t.strictSame(await look(pool), { ...CLEAN, pid })
  await app.inject({ method: 'POST', url: '/orders/yes' })
  t.strictSame(await look(pool), { ...CLEAN, pid })
  await app.inject('/begin')
  t.strictSame(await look(pool), { ...CLEAN, pid }, 'on the same connection')

  const by = { method: 'POST', route: '/orders/:fails', requestId: /^req-/, site: /dirty-returns\.test\.[jt]s:\d+:\d+$/ }
  t.match(dirtyLines(lines), [
    { level: 40, pool: 'main', msg: 'a connection was given back with an open transaction, and was rolled back', dirtyReturn: { ...by, dirt: 'open transaction' } },
    { level: 40, pool: 'main', msg: 'a connection was given back with a failed transaction, and was rolled back', dirtyReturn: { ...by, dirt: 'failed transaction' } },
    { level: 40, pool: 'main', dirtyReturn: { dirt: 'open transaction', route: '/begin', sql: /^BEGIN/ } }
  ])
  t.notMatch(JSON.stringify(dirtyLines(lines)), /4711|orders\/yes/)
  t.match(told, [
    { pool: 'main', ...by, dirt: 'open transaction', destroyed: false }, { pool: 'main', ...by, dirt: 'failed transaction', destroyed: false }, { route: '/begin', destroyed: false }
  ])
  t.match(app.poolHealth.status().main, { dirty: 3, asked: 7, acquired: 7, released: 7, closed: 0, size: 1, idle: 1 })
})

t.test('of many users at once, none ever finds what another has left', async (t) => {
  const { pool, app } = await scene(t, { max: 3 })
  const users = Array.from({ length: 24 }, async (_, user) => {
    for (let round = 0; round < 6; round++) {
      if ((user + round) % 2 === 0) {
        const client = await pool.connect()
        assert.equal(client.getTransactionStatus(), 'I')
        await client.query('BEGIN')
        await client.query("INSERT INTO orders VALUES ('uncommitted')")
        if (user % 3 === 0) void client.query("INSERT INTO orders VALUES ('still running')")
        client.release()
      } else {
        const { pid, ...found } = await look(pool)
        assert.deepEqual(found, CLEAN)
      }
    }
  })
  await t.resolves(Promise.all(users))
  await eventually(() => pool.idleCount === pool.totalCount)
  t.match(app.poolHealth.status().main, { dirty: 72, asked: 144, acquired: 144, released: 144, closed: 0, waiting: 0 })
})

t.test('a client with a half-read cursor is closed, and the next user has another', async (t) => {
  const { pool, app, lines } = await scene(t)
  const client = await pool.connect()
  const pid = await pidOf(client)
  const cursor = client.query(new Cursor('SELECT generate_series(1, 1000)'))
  t.equal((await cursor.read(10)).length, 10)
  const next = look(pool)
  client.release()
  const found = await next
  t.not(found.pid, pid)
  t.match(found, CLEAN)
  t.match(dirtyLines(lines), [{ dirtyReturn: { dirt: 'open cursor' }, msg: 'a connection was given back with an open cursor, and was closed' }])
  await eventually(() => app.poolHealth.status().main!.closed === 1)
  t.match(app.poolHealth.status().main, { dirty: 1, opened: 2, size: 1, acquired: 2, released: 2 })
})

t.test('a client whose cursor is just being closed, or was read to its end, is used on and not told', async (t) => {
  const { pool, app } = await scene(t)
  const { pid } = await look(pool)
  for (const end of ['closing', 'closed', 'read'] as const) {
    const client = await pool.connect()
    const cursor = client.query(new Cursor('SELECT generate_series(1, 20)'))
    await cursor.read(end === 'read' ? 100 : 10)
    const closed = end === 'read' ? undefined : cursor.close()
    if (end === 'closed') await closed
    client.release()
    t.strictSame(await look(pool), { ...CLEAN, pid }, end)
    await closed
  }
  t.match(app.poolHealth.status().main, { dirty: 0, closed: 0 })
})

t.test('a client whose query still runs is given to nobody until that has ended, and is not told when it has left nothing', async (t) => {
  const { pool, app, lines } = await scene(t)
  const client = await pool.connect()
  const pid = await pidOf(client)
  await client.query('BEGIN')
  await client.query("INSERT INTO orders VALUES ('committed')")
  let hasEnded = false
  void client.query('SELECT pg_sleep(0.1); COMMIT').then(() => { hasEnded = true })
  client.release()
  t.match(app.poolHealth.status().main, { idle: 0, released: 0 })
  const other = await pool.connect()
  t.equal(hasEnded, true)
  other.release()
  t.strictSame(await look(pool), { ...CLEAN, rows: 1, pid }, 'it was committed')
  t.equal(app.poolHealth.status().main!.dirty, 0)
  await pool.query('TRUNCATE orders')

  const again = await pool.connect()
  await again.query('BEGIN')
  void again.query("SELECT pg_sleep(0.05); INSERT INTO orders VALUES ('uncommitted')")
  again.release()
  t.strictSame(await look(pool), { ...CLEAN, pid }, 'and what it has left is rolled back')
  t.match(dirtyLines(lines), [{ dirtyReturn: { dirt: 'open transaction' }, msg: /rolled back$/ }])
})

t.test('a client whose query does not end is closed after leakThreshold', async (t) => {
  const { pool, app, lines } = await scene(t, {}, undefined, '1s')
  const client = await pool.connect()
  const failed = t.rejects(client.query('SELECT pg_sleep(60)'))
  const start = performance.now()
  client.release()
  const found = await look(pool)
  t.match(found, CLEAN)
  const took = performance.now() - start
  t.ok(took >= PATIENCE.least && took < PATIENCE.most, `${took} ms`)
  await failed
  t.match(dirtyLines(lines), [{ dirtyReturn: { dirt: 'running query' }, msg: /closed$/ }])
  t.match(app.poolHealth.status().main, { dirty: 1, closed: 1, opened: 2, size: 1 })
})

t.test('a query whose caller has given up by query_timeout leaves nothing for the next user', async (t) => {
  const { pool, app } = await scene(t, { query_timeout: 50 })
  const { pid } = await look(pool)
  for (const values of [undefined, [7]]) {
    const client = await pool.connect()
    await t.rejects(client.query(`SELECT pg_sleep(0.15)${values ? ', $1::int' : ''}`, values), /Query read timeout/)
    client.release()
    const other = await pool.connect()
    t.strictSame((await other.query('SELECT 1 AS one')).rows, [{ one: 1 }])
    t.strictSame((await other.query('SELECT $1::int AS two', [2])).rows, [{ two: 2 }])
    other.release()
  }
  t.match(app.poolHealth.status().main, { dirty: 0, closed: 0 })
  t.equal((await look(pool)).pid, pid)
})

t.test('a client whose rollback is not answered is closed after a second; the close of app and pool waits for no longer', async (t) => {
  const { pool, app, lines } = await scene(t)
  const ending = await scene(t)
  const clients = [await pool.connect(), await ending.pool.connect()]
  for (const client of clients) await client.query('BEGIN')
  const start = performance.now()
  await server.pause()
  const back = (async () => {
    await eventually(() => pool.totalCount === 0)
    const took = performance.now() - start
    t.ok(took >= PATIENCE.least && took < PATIENCE.most, `${took} ms`)
    t.match(dirtyLines(lines), [{ dirtyReturn: { dirt: 'open transaction' }, msg: /closed$/ }])
  })()
  for (const client of clients) client.release()
  const closed = Promise.all([ending.pool.end(), ending.app.close()]).then(() => performance.now() - start)
  await back
  t.ok(await closed < PATIENCE.most)
  await server.resume()
  t.match(await look(pool), CLEAN)
  t.match(app.poolHealth.status().main, { dirty: 1, closed: 1, size: 1, idle: 1 })
})

t.test('a connection that breaks during the rollback ends neither the process nor the pool', async (t) => {
  const proxy = await startProxy(t, server.url)
  const pool = openPool(t, proxy.url, { max: 1 })
  const { app, lines } = await buildApp(t, { pools: { main: pool } })
  for (const how of ['cut', 'terminated'] as const) {
    const client = await pool.connect()
    const pid = await pidOf(client)
    await client.query('BEGIN')
    proxy.swallow('toClient')
    client.release()
    t.equal(app.poolHealth.status().main!.idle, 0)
    if (how === 'cut') proxy.cutAll()
    else await query(server.url, `SELECT pg_terminate_backend(${pid}, 5000)`)
    proxy.letThrough()
    t.match(await look(pool), CLEAN)
  }
  await eventually(() => pool.idleCount === 1)
  t.match(dirtyLines(lines)[0], { dirtyReturn: { dirt: 'open transaction' }, msg: /closed$/ })
  const { opened, closed, size, released, acquired } = app.poolHealth.status().main!
  t.equal(opened - closed, size)
  t.equal(released, acquired)
})

t.test('a client that broke in its holder\'s hands ends neither the process, nor is it kept, nor told as dirty', async (t) => {
  const { pool, app } = await scene(t)
  for (const [nth, when] of (['in a statement', 'in a transaction', 'idle'] as const).entries()) {
    const client = await pool.connect()
    const pid = await pidOf(client)
    if (when === 'in a transaction') await client.query('BEGIN')
    const gone = new Promise<void>((resolve) => { client.once('end', resolve) })
    const statement = when === 'in a statement' ? t.rejects(client.query('SELECT pg_sleep(60)'), /terminating connection/).then(() => { client.release() }) : undefined
    await query(server.url, `SELECT pg_terminate_backend(${pid}, 5000)`)
    if (statement === undefined) {
      await gone
      await t.rejects(client.query('SELECT 1'))
      client.release()
    } else {
      await statement
    }
    const start = performance.now()
    t.match(await look(pool), CLEAN)
    t.ok(performance.now() - start < PATIENCE.least, `${when}: its place is free at once`)
    await eventually(() => app.poolHealth.status().main!.closed === nth + 1)
  }
  // A look may have asked whether Postgres is still there.
  const { acquired } = app.poolHealth.status().main!
  await eventually(() => app.poolHealth.status().main!.idle === 1)
  t.match(app.poolHealth.status().main, { dirty: 0, opened: 4, closed: 3, size: 1, released: acquired })
})

t.test('release(error) and release(true) close the client, whatever is on it, and tell nothing', async (t) => {
  const { pool, app } = await scene(t)
  for (const error of [true, new Error('of the holder')]) {
    for (const sql of ['SELECT 1', 'BEGIN']) {
      const client = await pool.connect()
      const pid = await pidOf(client)
      await client.query(sql)
      client.release(error)
      const found = await look(pool)
      t.not(found.pid, pid)
      t.match(found, CLEAN)
    }
  }
  await eventually(() => app.poolHealth.status().main!.closed === 4)
  t.match(app.poolHealth.status().main, { dirty: 0, opened: 5, size: 1, acquired: 8, released: 8 })
})

t.test('who gives a client back twice has pg-pool\'s error, also while the rollback is under way, and nobody has the client before it is clean', async (t) => {
  const { pool, app } = await scene(t)
  const { pid } = await look(pool)
  for (const sql of ['SELECT 1', 'BEGIN', 'SELECT pg_sleep(0.02)']) {
    for (const by of ['method', 'argument'] as const) {
      const [client, release] = await new Promise<[pg.PoolClient, (error?: Error | boolean) => void]>((resolve, reject) => {
        pool.connect((error, client, release) => { if (error) reject(error); else resolve([client!, release]) })
      })
      const giveBack = by === 'method' ? client.release.bind(client) : release
      const running = client.query(sql)
      if (!sql.includes('sleep')) await running
      giveBack()
      t.throws(() => { giveBack() }, /Release called on client which has already been released to the pool/, `${sql} by ${by}`)
      t.throws(() => { giveBack(true) }, /already been released/)
      t.strictSame(await look(pool), { ...CLEAN, pid })
      t.throws(() => { if (by === 'argument') giveBack(); else throw new Error('already been released') }, /already been released/)
    }
  }
  t.match(app.poolHealth.status().main, { dirty: 2, closed: 0, acquired: 13, released: 13, size: 1, idle: 1 })
})

t.test('a client of an older pg, which does not tell its transaction status, is rolled back too', async (t) => {
  const pool = new OlderPool({ connectionString: server.url, max: 1 })
  t.teardown(() => pool.end())
  const { app } = await buildApp(t, { pools: { main: pool } })
  for (const statements of [['BEGIN', "INSERT INTO orders VALUES ('older')"], ['BEGIN', 'SELECT 1/0']]) {
    const client = await pool.connect()
    t.notOk('getTransactionStatus' in client)
    for (const sql of statements) await client.query(sql).catch(() => {})
    client.release()
    t.match(await look(pool), CLEAN)
  }
  t.match(app.poolHealth.status().main, { dirty: 2, opened: 1 })
})
