import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { usePostgres } from '../helpers/postgres.js'
import type { Advice, PoolStatus } from '../../plugins/pool-health/index.js'
import { buildApp, openPool } from './build-app.js'

interface Scene {
  verdict: Advice['verdict']
  what: string
  max: number
  callers: number
  /** Queries of each caller, one after the other. */
  rounds: number
  sql: string
  /** Above what a busy machine can make of a quick one. */
  slowHold?: string
}

const scenes: Scene[] = [
  { verdict: 'too small', what: 'ten callers of quick queries on two connections', max: 2, callers: 10, rounds: 3, sql: 'SELECT pg_sleep(0.006)' },
  { verdict: 'slow query', what: 'as many on as few, of slow queries', max: 2, callers: 10, rounds: 1, sql: 'SELECT pg_sleep(0.055)' },
  { verdict: 'over-provisioned', what: 'two callers of quick queries on twenty connections', max: 20, callers: 2, rounds: 55, sql: 'SELECT 1', slowHold: '500ms' },
  { verdict: 'healthy', what: 'four callers of quick queries on five connections', max: 5, callers: 4, rounds: 10, sql: 'SELECT 1', slowHold: '500ms' }
]

for (const { verdict, what, max, callers, rounds, sql, slowHold = '50ms' } of scenes) {
  t.test(`${what}: ${verdict}, ten times of ten`, async (t) => {
    const { url } = await usePostgres(t)
    const pool = openPool(t, url, { max })
    // Connections are there already: that one has to be opened is not what is looked for.
    const clients = await Promise.all(Array.from({ length: Math.min(max, callers) }, () => pool.connect()))
    for (const client of clients) client.release()

    const found: Advice[] = []
    for (let run = 0; run < 10; run++) {
      const { app } = await buildApp(t, { pools: { main: pool }, slowHold })
      await Promise.all(Array.from({ length: callers }, async () => {
        for (let round = 0; round < rounds; round++) {
          await pool.query(sql)
          await delay(1)
        }
      }))
      found.push(app.poolHealth.advise().main!)
      await app.close()
    }
    t.strictSame(found.map((advice) => advice.verdict), Array(10).fill(verdict), found.at(-1)!.reason)
  })
}

t.test('a connection that is waited for because the event loop is blocked is no reason for more of them', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  await pool.query('SELECT 1')
  const measured = async (): Promise<PoolStatus & { verdict: string }> => {
    const { app } = await buildApp(t, { pools: { main: pool } })
    for (let round = 0; round < 25; round++) {
      const queries = [pool.query('SELECT 1'), pool.query('SELECT 1')]
      // The first is on its way, and both are answered long before the end of this; but nobody reads it.
      await immediate()
      for (const end = performance.now() + 25; performance.now() < end;);
      await Promise.all(queries)
    }
    const status = app.poolHealth.status().main!
    const { verdict } = app.poolHealth.advise().main!
    await app.close()
    return { ...status, verdict }
  }
  let found = await measured()
  // Where the database itself has to wait for a core, so do its callers.
  for (let again = 0; again < 3 && found.wait.p95 >= 5; again++) found = await measured()
  t.ok(found.delay.max > 20, `${found.delay.max} ms are the event loop's`)
  t.ok(found.wait.p95 < 5, `${found.wait.p95} ms are the pool's`)
  t.equal(found.verdict, 'healthy')
})
