import assert from 'node:assert'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import type { FastifyReply } from 'fastify'
import { eventually } from '../helpers/eventually.js'
import { usePostgres } from '../helpers/postgres.js'
import { isSoak } from '../helpers/soak.js'
import { buildApp } from './build-app.js'
import { get } from './get.js'

const ABORTS = isSoak ? 1_000 : 60

/** Milliseconds after which nothing is left of the query of a client that has left; where the machine has nothing else to do. */
const GONE = isSoak ? 250 : 2_000

/** Of this test's database, without who asks. */
const RUNNING = "SELECT count(*)::int AS running FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()"

const LARGE = 'SELECT i, repeat(\'x\', 200) AS text FROM (SELECT generate_series(1, 300000) AS i) AS numbers'
const SLOW = 'SELECT i, pg_sleep(0.01) FROM generate_series(1, 10000) AS i'

const PATHS: Record<string, { query: Parameters<FastifyReply['streamQuery']>[0], format: 'csv' | 'json' }> = {
  '/json': { query: LARGE, format: 'json' },
  '/json-with-a-value': { query: { text: `${LARGE} WHERE i > $1`, values: [0] }, format: 'json' },
  '/copy': { query: LARGE, format: 'csv' },
  '/cursor': { query: { text: `${LARGE} WHERE i > $1`, values: [0] }, format: 'csv' },
  '/slow': { query: SLOW, format: 'json' },
  '/slow-batch': { query: { text: `${SLOW} WHERE i > $1`, values: [0] }, format: 'csv' },
  '/few': { query: 'SELECT i FROM generate_series(1, 10000) AS i', format: 'json' },
  '/before-the-first': { query: 'SELECT 1 FROM (SELECT pg_sleep(5)) AS s', format: 'json' }
}

t.test('clients that leave at random moments leave nothing running and take no connection with them', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    for (const [path, { query, format }] of Object.entries(PATHS)) app.get(path, async (_request, reply) => await reply.streamQuery(query, { format }))
  }, { max: 5 })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const paths = Object.keys(PATHS)
  let seed = 1
  const random = (): number => { seed = seed * 48_271 % 2_147_483_647; return seed / 2_147_483_647 }
  const lasted: number[] = []
  const observer = new pg.Client({ connectionString: url })
  await observer.connect()
  t.teardown(() => observer.end())
  const running = async (): Promise<number> => {
    const { rows } = await observer.query<{ running: number }>(RUNNING)
    return rows[0]!.running
  }
  for (let abort = 0; abort < ABORTS; abort += 20) {
    await Promise.all(Array.from({ length: 20 }, async () => {
      const socket = await get(port, paths[Math.floor(random() * paths.length)]!)
      // Some read, some do not.
      if (random() < 0.7) socket.resume()
      await delay(random() * 120)
      if (random() < 0.5) socket.resetAndDestroy()
      else socket.destroy()
    }))
    const left = performance.now()
    while (await running() > 0) await delay(5)
    lasted.push(performance.now() - left)
    await eventually(() => app.streamReply.stats().running === 0 && pool.totalCount === pool.idleCount && pool.waitingCount === 0)
  }
  lasted.sort((a, b) => a - b)
  t.comment(`queries lasted for ${lasted[lasted.length >> 1]!.toFixed(0)} ms (median), ${lasted.at(-1)!.toFixed(0)} ms at most`)
  t.ok(lasted.at(-1)! < GONE, `${lasted.join(', ')} ms`)
  const replies = await Promise.all(Array.from({ length: 10 }, async () => await app.inject('/few')))
  for (const reply of replies) assert.equal(reply.json<unknown[]>().length, 10_000)
  t.equal(pool.totalCount, 5)
  t.ok(await isClean(pool))
})

async function isClean (pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ clean: boolean }>('SELECT now() = statement_timestamp() AS clean')
  return rows[0]!.clean
}
