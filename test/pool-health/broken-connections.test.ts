import type pg from 'pg'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { ownPostgres, query, usePostgres } from '../helpers/postgres.js'
import { buildApp, openPool } from './build-app.js'

async function backendPid (pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  return rows[0]!.pid
}

t.test('an idle connection that the server terminates is counted and logged, and the app goes on', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  const { app, lines } = await buildApp(t, { pools: { main: pool } })
  await query(url, `SELECT pg_terminate_backend(${await backendPid(pool)})`)
  await eventually(() => app.poolHealth.status().main!.errors === 1)

  const errors = lines().filter(({ level }) => level === 50)
  t.match(errors, [{ pool: 'main', msg: 'an idle connection of the pool broke', error: { message: /terminating connection/ } }])
  t.equal(errors.length, 1)
  t.strictSame((await pool.query('SELECT 1 AS one')).rows, [{ one: 1 }], 'the pool opens another')
})

t.test('the log line of a broken connection holds no password, no cancel key, no statement and no connection', async (t) => {
  const { url } = await usePostgres(t)
  const named = new URL(url)
  const role = `role_${Math.random().toString(36).slice(2)}`
  await query(url, `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'p4ssw0rd-secret'`)
  t.teardown(() => query(url, `DROP ROLE ${role}`))
  named.username = role
  named.password = 'p4ssw0rd-secret'
  const pool = openPool(t, named.href)
  const { app, lines, text } = await buildApp(t, { pools: { main: pool } })
  const client = await pool.connect()
  await client.query({ name: 'statement-secret', text: "SELECT 'text-secret', $1::text", values: ['value-secret'] })
  const { secretKey } = client as unknown as { secretKey: unknown }
  const pid = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid
  client.release()
  await query(url, `SELECT pg_terminate_backend(${pid})`)
  await eventually(() => app.poolHealth.status().main!.errors === 1)

  t.notMatch(text(), /secret/i, 'neither values nor keys that name one')
  t.notOk(text().includes(String(secretKey)), 'the key with which a query can be cancelled')
  t.notOk(text().includes(role), 'the database user')
  t.notHas(lines().find(({ level }) => level === 50), { error: { client: {} } })
  t.ok(text().length < 5_000, `the line has ${text().length} bytes`)
})

t.test('a server that is killed breaks every idle connection, and the app goes on', async (t) => {
  const server = await ownPostgres(t)
  const pool = openPool(t, server.url)
  const { app, lines } = await buildApp(t, { pools: { main: pool } })
  const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
  for (const client of clients) client.release()

  await server.kill()
  await eventually(() => app.poolHealth.status().main!.errors === 3)
  t.equal(lines().filter(({ level }) => level === 50).length, 3)
  t.match(app.poolHealth.status().main, { size: 0, idle: 0 })

  await server.restart()
  t.strictSame((await pool.query('SELECT 1 AS one')).rows, [{ one: 1 }], 'and serves when the server is back')
})

t.test('errors are counted and named for each pool alone', async (t) => {
  const { url } = await usePostgres(t)
  const reads = openPool(t, url)
  const writes = openPool(t, url)
  const { app, lines } = await buildApp(t, { pools: { reads, writes } })
  await backendPid(reads)
  await query(url, `SELECT pg_terminate_backend(${await backendPid(writes)})`)
  await eventually(() => app.poolHealth.status().writes!.errors === 1)
  t.equal(app.poolHealth.status().reads!.errors, 0)
  t.strictSame(lines().filter(({ level }) => level === 50).map(({ pool }) => pool), ['writes'])
})

t.test('the host\'s own error listener on the pool is called too', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  let heard = 0
  pool.on('error', () => { heard++ })
  const { app } = await buildApp(t, { pools: { main: pool } })
  await query(url, `SELECT pg_terminate_backend(${await backendPid(pool)})`)
  await eventually(() => app.poolHealth.status().main!.errors === 1)
  t.equal(heard, 1)
})
