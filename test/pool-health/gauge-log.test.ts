import t from 'tap'
import { usePostgres } from '../helpers/postgres.js'
import { buildApp, listen, loggingApp, openPool } from './build-app.js'
import { fakeIntervals } from './fake-intervals.js'
import { FakePool } from './fake-pool.js'
import poolHealth from '../../plugins/pool-health/index.js'

t.test('every logInterval each pool\'s gauges are logged, one line a pool', async (t) => {
  const timers = fakeIntervals(t)
  const reads = Object.assign(new FakePool(), { totalCount: 2, idleCount: 1 })
  const { lines } = await buildApp(t, { pools: { reads, writes: new FakePool() }, logInterval: '5s' })
  const { tick } = timers.find(({ milliseconds }) => milliseconds === 5_000)!

  tick()
  t.match(lines().filter(({ msg }) => msg === 'pool health'), [
    { level: 30, pool: 'reads', poolHealth: { size: 2, idle: 1, waiting: 0, max: 10, errors: 0 } },
    { level: 30, pool: 'writes', poolHealth: { size: 0, idle: 0, waiting: 0, max: 10, errors: 0 } }
  ])
  reads.waitingCount = 7
  tick()
  t.match(lines().findLast(({ pool, poolHealth }) => pool === 'reads' && poolHealth !== undefined), { poolHealth: { waiting: 7 } })
})

t.test('by default the gauges are logged once a minute, and the timer does not keep the process alive', async (t) => {
  const timers = fakeIntervals(t)
  const { app } = loggingApp(t)
  await app.register(poolHealth, { pools: { main: new FakePool() } })
  t.strictSame(timers.map(({ milliseconds, unref }) => [milliseconds, unref]), [[500, true], [60_000, true]], 'twice a second leaks are looked for')
})

t.test('logInterval: false starts no timer but that which looks for leaks', async (t) => {
  const timers = fakeIntervals(t)
  await buildApp(t, { pools: { main: new FakePool() }, logInterval: false })
  t.strictSame(timers.map(({ milliseconds }) => milliseconds), [500])
})

t.test('closing the app stops the timers', async (t) => {
  const timers = fakeIntervals(t)
  const { app } = await buildApp(t, { pools: { main: new FakePool() }, logInterval: 1_000 })
  t.strictSame(timers.map(({ running }) => running), [true, true])
  await app.close()
  t.strictSame(timers.map(({ running }) => running), [false, false])
})

t.test('a logInterval of a month does not log a thousand times a second', async (t) => {
  const timers = fakeIntervals(t)
  await buildApp(t, { pools: { main: new FakePool() }, logInterval: '30d' }).catch((error: { code: string }) => {
    t.equal(error.code, 'FST_HEADROOM_POOL_HEALTH_OPTION', 'refusing it is right too')
  })
  // Past 2^31 - 1 Node warns (TimeoutOverflowWarning) and takes 1 ms instead.
  t.ok(timers.every(({ milliseconds }) => milliseconds <= 2 ** 31 - 1), `a timer of ${timers[0]?.milliseconds} ms becomes one of 1 ms`)
})

t.test('a line is written when the advice is another than before, and else each logInterval', async (t) => {
  const { url } = await usePostgres(t)
  const timers = fakeIntervals(t)
  const pool = openPool(t, url, { max: 1 })
  const { lines } = await buildApp(t, { pools: { main: pool }, logInterval: '1h' })
  const written = (): unknown[] => lines().filter(({ msg }) => msg === 'pool health').map(({ level, poolHealth }) => [level, poolHealth!.advice.verdict])
  const told = listen(t, 'verdict')
  const look = (times: number): void => { for (let n = 0; n < times; n++) timers[0]!.tick() }
  await pool.query('SELECT 1')
  look(10)
  t.strictSame(written(), [], 'it is healthy, as one is taken to be')
  await Promise.all(Array.from({ length: 40 }, () => pool.query('SELECT pg_sleep(0.005)')))
  look(10)
  t.strictSame(written(), [[40, 'too small']])
  look(20)
  t.equal(written().length, 1, 'once')
  t.match(told, [['verdict', { pool: 'main', before: 'healthy', advice: { verdict: 'too small' } }]])
  timers[1]!.tick()
  t.equal(written().length, 2)
})
