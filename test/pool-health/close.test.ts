import { once } from 'node:events'
import type { Socket } from 'node:net'
import type pg from 'pg'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { ownPostgres, query, usePostgres } from '../helpers/postgres.js'
import { buildApp, openPool } from './build-app.js'
import { FakePool } from './fake-pool.js'

type WiredClient = pg.PoolClient & { processID: number, connection: { stream: Socket } }

const errorListeners = (pool: { listenerCount: (event: string) => number }): number => pool.listenerCount('error')

t.test('however many apps a pool has seen, one listener that does nothing is left on it', async (t) => {
  const pool = new FakePool()
  for (let round = 0; round < 3; round++) {
    const { app, lines } = await buildApp(t, { pools: { main: pool } })
    t.equal(errorListeners(pool), round === 0 ? 1 : 2)
    await app.close()
    pool.emit('error', new Error('after close'))
    t.strictSame([errorListeners(pool), lines().filter(({ level }) => level === 50).length], [1, 0])
  }
})

t.test('a connection that the server terminates after close does not end the process', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  const { app } = await buildApp(t, { pools: { main: pool } })
  const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  await app.close()
  await query(url, `SELECT pg_terminate_backend(${rows[0]!.pid})`)
  await eventually(() => pool.totalCount === 0)
  t.pass()
})

t.test('the last connection cut off after close does not end the process', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  const { app } = await buildApp(t, { pools: { main: pool } })
  const client = await pool.connect() as WiredClient
  client.release()
  await app.close()

  const { stream } = client.connection
  const cut = once(stream, 'close')
  // No message from the server: its machine went away.
  stream.destroy()
  await cut
  t.equal(pool.totalCount, 0)
})

t.test('a server that is killed between our close and the end of the pool does not end the process', async (t) => {
  const server = await ownPostgres(t)
  const pool = openPool(t, server.url)
  const { app } = await buildApp(t, { pools: { main: pool } })
  const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
  for (const client of clients) client.release()
  await app.close()
  await server.kill()
  await eventually(() => pool.totalCount === 0)
  await t.resolves(pool.end())
})

t.test('the host\'s own listeners stay on the pool', async (t) => {
  const pool = new FakePool()
  const told: Error[] = []
  pool.on('error', (error: Error) => told.push(error))
  const { app } = await buildApp(t, { pools: { main: pool } })
  await app.close()
  pool.emit('error', new Error('broken'))
  t.equal(told.length, 1)
})

t.test('closing takes no longer because a pool hangs', async (t) => {
  const server = await ownPostgres(t)
  const pool = openPool(t, server.url)
  const { app } = await buildApp(t, { pools: { main: pool } })
  await pool.query('SELECT 1')
  await server.pause()
  await t.resolves(app.close())
  await server.resume()
})

t.test('a server that ends a connection which the pool is just ending does not end the process', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  const { app } = await buildApp(t, { pools: { main: pool } })
  const first = await pool.connect()
  const second = await pool.connect() as WiredClient
  first.release()
  second.release()
  await app.close()

  // Its last message, a FATAL one, lies in the socket unread while the pool ends.
  const { stream } = second.connection
  stream.pause()
  await query(url, `SELECT pg_terminate_backend(${second.processID}, 5000)`)
  const firstGone = once(pool, 'remove')
  await pool.end()
  await firstGone
  const secondGone = once(stream, 'close')
  stream.resume()
  await secondGone
  t.pass()
})
