import assert from 'node:assert/strict'
import fc from 'fast-check'
import type pg from 'pg'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { usePostgres } from '../helpers/postgres.js'
import { isSoak } from '../helpers/soak.js'
import type { PoolStatus } from '../../plugins/pool-health/index.js'
import { buildApp, openPool } from './build-app.js'

const MAX = 2

const STEPS = ['connect', 'callback', 'query', 'failing query', 'queries', 'release', 'release(error)', 'release twice', 'in transaction', 'deadline', 'terminated'] as const

type Step = typeof STEPS[number]

function sum ({ acquired, timeouts, failed, refused, expired, waiting }: PoolStatus): number {
  return acquired + timeouts + failed + refused + expired + waiting
}

t.test('whatever is done with a pool, in whatever order, its counters add up, and it can be used on', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: MAX })
  const { app } = await buildApp(t, { pools: { main: pool } }, (app) => {
    app.get('/', { config: { poolHealth: { deadline: '10ms' } } }, async () => {
      const client = await pool.connect()
      client.release()
      return {}
    })
  })
  const status = (): PoolStatus => app.poolHealth.status().main!

  await fc.assert(fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { minLength: 1, maxLength: 12 }), async (steps) => {
    const held: pg.PoolClient[] = []
    for (const step of steps) {
      await run(step, held)
      // After a connection was lost a look asks whether Postgres is there, and may just be having one opened.
      if (status().asked !== sum(status())) await eventually(() => status().asked === sum(status()))
    }
    for (const client of held) client.release()
    await eventually(() => {
      const { opened, closed, size, idle, acquired, released } = status()
      return opened - closed === size && idle === size && acquired === released
    })
    assert.equal(status().waiting, 0)
    assert.ok(status().size <= MAX)
    assert.deepEqual(app.poolHealth.pools.main!.holders(), [])
    assert.deepEqual((await Promise.all([1, 2, 3].map((n) => pool.query('SELECT $1::int AS n', [n])))).map(({ rows }) => rows[0].n), [1, 2, 3])
  }), { numRuns: isSoak ? 2_000 : 50 })
  t.comment(JSON.stringify(status()))
  t.ok(status().refused + status().expired > 0 && status().dirty > 0 && status().closed > 0, 'all was tried')

  async function run (step: Step, held: pg.PoolClient[]): Promise<void> {
    const isFull = held.length === MAX
    switch (step) {
      case 'connect':
        if (!isFull) held.push(await pool.connect())
        return
      case 'callback':
        if (isFull) return
        held.push(await new Promise<pg.PoolClient>((resolve, reject) => {
          pool.connect((error, client) => { if (error) reject(error); else resolve(client!) })
        }))
        return
      case 'query':
        if (!isFull) await pool.query('SELECT 1')
        return
      case 'failing query':
        if (!isFull) await assert.rejects(pool.query('SELECT 1 / 0'))
        return
      case 'queries':
        if (!isFull) await Promise.all(Array.from({ length: 5 }, () => pool.query('SELECT 1')))
        return
      case 'release':
        held.shift()?.release()
        return
      case 'release(error)':
        held.shift()?.release(new Error('of the holder'))
        return
      case 'release twice': {
        const client = held.shift()
        client?.release()
        if (client !== undefined) assert.throws(() => { client.release() }, /already been released/)
        return
      }
      case 'in transaction': {
        const client = held.shift()
        // It may have been terminated.
        await client?.query('BEGIN').catch(() => {})
        client?.release()
        return
      }
      case 'deadline': {
        const replies = await Promise.all([1, 2, 3].map(() => app.inject('/')))
        for (const { statusCode } of replies) assert.ok(isFull ? statusCode === 503 : statusCode === 200 || statusCode === 503)
        return
      }
      case 'terminated': {
        const [client] = held
        if (client !== undefined) await assert.rejects(client.query('SELECT pg_terminate_backend(pg_backend_pid())'))
      }
    }
  }
})

t.test('callers are those that asked: not the pool itself, which takes a client that has become too old to close it, nor who went round the watch', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { maxLifetimeSeconds: 0.2 })
  const around = pool.connect.bind(pool) as () => Promise<pg.PoolClient>
  await pool.query('SELECT 1')
  const { app } = await buildApp(t, { pools: { main: pool } })
  await pool.query('SELECT 1')
  await eventually(() => app.poolHealth.status().main!.closed === 1)
  t.match(app.poolHealth.status().main, { asked: 1, acquired: 1, released: 1, opened: 1, size: 0 })

  const client = await around()
  t.match(app.poolHealth.pools.main!.holders(), [{ by: 'unknown', connections: 1 }])
  client.release()
  t.match(app.poolHealth.status().main, { asked: 1, acquired: 1, released: 1, opened: 2, size: 1 })
})
