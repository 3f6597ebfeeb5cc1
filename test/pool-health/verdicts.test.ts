import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { usePostgres } from '../helpers/postgres.js'
import type { Advice } from '../../plugins/pool-health/index.js'
import { buildApp, openPool } from './build-app.js'

/** What is the matter with a pool of so many connections, by what it did in the time that `callers` asked it. */
async function verdictOf (t: Test, url: string, max: number, callers: number, rounds: number, sql: string): Promise<Advice> {
  const pool = openPool(t, url, { max })
  // Connections are there already: that one has to be opened is not what is looked for.
  const clients = await Promise.all(Array.from({ length: Math.min(max, callers) }, () => pool.connect()))
  for (const client of clients) client.release()
  const { app } = await buildApp(t, { pools: { main: pool }, slowHold: '50ms' })
  await Promise.all(Array.from({ length: callers }, async () => {
    for (let round = 0; round < rounds; round++) {
      await pool.query(sql)
      await delay(1)
    }
  }))
  const { main } = app.poolHealth.advise()
  await app.close()
  await pool.end()
  return main!
}

const scenes: Array<[verdict: Advice['verdict'], what: string, arrange: (t: Test, url: string) => Promise<Advice>]> = [
  ['too small', 'ten callers of quick queries on two connections', async (t, url) => await verdictOf(t, url, 2, 10, 3, 'SELECT pg_sleep(0.006)')],
  ['slow query', 'as many on as few, of slow queries', async (t, url) => await verdictOf(t, url, 2, 10, 1, 'SELECT pg_sleep(0.055)')],
  ['over-provisioned', 'two callers of quick queries on twenty connections', async (t, url) => await verdictOf(t, url, 20, 2, 55, 'SELECT 1')],
  ['healthy', 'four callers of quick queries on five connections', async (t, url) => await verdictOf(t, url, 5, 4, 20, 'SELECT 1')]
]

for (const [verdict, what, arrange] of scenes) {
  t.test(`${what}: ${verdict}, ten times of ten`, async (t) => {
    const { url } = await usePostgres(t)
    const found: Advice[] = []
    for (let run = 0; run < 10; run++) found.push(await arrange(t, url))
    t.strictSame(found.map((advice) => advice.verdict), Array(10).fill(verdict), found.at(-1)!.reason)
  })
}

t.test('a connection that is waited for because the event loop is blocked is no reason for more of them', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const { app } = await buildApp(t, { pools: { main: pool } })
  await pool.query('SELECT 1')
  for (let round = 0; round < 25; round++) {
    const queries = [pool.query('SELECT 1'), pool.query('SELECT 1')]
    await delay(0)
    // Both are answered long before, but nobody reads it.
    for (const end = performance.now() + 25; performance.now() < end;);
    await Promise.all(queries)
  }
  const { wait, delay: delayed } = app.poolHealth.status().main!
  t.ok(delayed.max > 20, `${delayed.max} ms are the event loop's`)
  t.ok(wait.p95 < 5, `${wait.p95} ms are the pool's`)
  t.equal(app.poolHealth.advise().main!.verdict, 'healthy')
})
