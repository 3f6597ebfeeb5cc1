import { once } from 'node:events'
import type { Socket } from 'node:net'
import fastifyPostgres from '@fastify/postgres'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { ownPostgres, query, usePostgres } from '../helpers/postgres.js'
import poolHealth from '../../plugins/pool-health/index.js'
import { loggingApp } from './build-app.js'

async function buildPostgresApp (t: Test, url: string) {
  const logged = loggingApp(t)
  await logged.app.register(fastifyPostgres, { connectionString: url, max: 4, idleTimeoutMillis: 0 })
  await logged.app.register(poolHealth, { logInterval: false })
  await logged.app.ready()
  return logged
}

t.test('the pool of @fastify/postgres is watched without being named', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = await buildPostgresApp(t, url)
  const client = await app.pg.connect()
  t.match(app.poolHealth.status(), { main: { size: 1, idle: 0, waiting: 0, max: 4, errors: 0 } })
  client.release()
  t.match(app.poolHealth.status(), { main: { size: 1, idle: 1 } })
})

t.test('a terminated idle connection of @fastify/postgres does not end the process', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = await buildPostgresApp(t, url)
  const { rows } = await app.pg.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  await query(url, `SELECT pg_terminate_backend(${rows[0]!.pid})`)
  await eventually(() => app.poolHealth.status().main!.errors === 1)
  t.strictSame((await app.pg.query('SELECT 1 AS one')).rows, [{ one: 1 }])
})

t.test('closing the app ends the pool', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = await buildPostgresApp(t, url)
  const { pool } = app.pg
  await app.pg.query('SELECT 1')
  await app.close()
  t.ok(pool.ended)
})

t.test('a connection that breaks while the app closes, before the pool is ended, does not end the process', async (t) => {
  const server = await ownPostgres(t)
  const { app } = loggingApp(t)
  await app.register(fastifyPostgres, { connectionString: server.url, idleTimeoutMillis: 0 })
  // onClose runs from the last to the first: this one runs after ours and before the pool's.
  app.addHook('onClose', async () => {
    const cut = once(client.connection.stream, 'close')
    client.connection.stream.destroy()
    await cut
  })
  await app.register(poolHealth, { logInterval: false })
  await app.ready()
  const client = await app.pg.connect() as unknown as { release: () => void, connection: { stream: Socket } }
  client.release()
  await t.resolves(app.close())
})

t.test('the named pools of @fastify/postgres are watched by their names', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = loggingApp(t)
  await app.register(fastifyPostgres, { connectionString: url, name: 'reads', max: 2 })
  await app.register(fastifyPostgres, { connectionString: url, name: 'writes', max: 1 })
  await app.register(poolHealth, { logInterval: false })
  t.match(app.poolHealth.status(), { reads: { max: 2 }, writes: { max: 1 } })
})
