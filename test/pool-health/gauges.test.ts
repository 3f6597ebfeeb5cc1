import t from 'tap'
import { usePostgres } from '../helpers/postgres.js'
import { buildApp, openPool } from './build-app.js'
import { FakePool } from './fake-pool.js'

t.test('status() tells how many connections are open, idle and waited for, as it is now', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 2 })
  const { app } = await buildApp(t, { pools: { main: pool } })
  const main = (): unknown => app.poolHealth.status().main

  t.match(main(), { size: 0, idle: 0, waiting: 0, max: 2, errors: 0 }, 'nothing is opened by watching')
  const first = await pool.connect()
  t.match(main(), { size: 1, idle: 0, waiting: 0, max: 2, errors: 0 }, 'one held')
  const second = await pool.connect()
  const queued = [1, 2, 3].map(async () => { (await pool.connect()).release() })
  t.match(main(), { size: 2, idle: 0, waiting: 3, max: 2, errors: 0 }, 'all held, three in the queue')
  first.release()
  second.release()
  await Promise.all(queued)
  t.match(main(), { size: 2, idle: 2, waiting: 0, max: 2, errors: 0 }, 'all given back')
})

t.test('several pools are told apart by their names', async (t) => {
  const writes = Object.assign(new FakePool(), { totalCount: 4, idleCount: 3, waitingCount: 2 })
  const reads = Object.assign(new FakePool(), { totalCount: 1, options: { max: 5 } })
  const { app } = await buildApp(t, { pools: { writes, reads } })
  t.match(app.poolHealth.status(), {
    writes: { size: 4, idle: 3, waiting: 2, max: 10, errors: 0 },
    reads: { size: 1, idle: 0, waiting: 0, max: 5, errors: 0 }
  })
})

t.test('a pool that states no maximum has pg\'s own, ten', async (t) => {
  const { app } = await buildApp(t, { pools: { main: Object.assign(new FakePool(), { options: {} }) } })
  t.equal(app.poolHealth.status().main!.max, 10)
})

t.test('a status() once taken does not change with the pool', async (t) => {
  const pool = new FakePool()
  const { app } = await buildApp(t, { pools: { main: pool } })
  const before = app.poolHealth.status()
  pool.totalCount = 9
  t.equal(before.main!.size, 0)
  t.equal(app.poolHealth.status().main!.size, 9)
})

t.test('decorateAs gives the decorator another name', async (t) => {
  const { app } = await buildApp(t, { pools: { main: new FakePool() }, decorateAs: 'databaseHealth' })
  t.notOk(app.hasDecorator('poolHealth'))
  const health = app.getDecorator<typeof app.poolHealth>('databaseHealth')
  t.strictSame(Object.keys(health.status()), ['main'])
})

t.test('the table of pools that was given stays as it was', async (t) => {
  const pools = Object.freeze({ main: new FakePool() })
  await t.resolves(buildApp(t, { pools }))
})
