import t, { type Test } from 'tap'
import { buildApp, loggingApp } from './build-app.js'
import { FakePool } from './fake-pool.js'
import poolHealth from '../../plugins/pool-health/index.js'

interface Timer { milliseconds: number, tick: () => void, running: boolean, unref: boolean }

/** Takes the place of the process's interval timers; only timers of this test file see it. */
function fakeIntervals (t: Test): Timer[] {
  const timers: Timer[] = []
  t.intercept(globalThis, 'setInterval', {
    value: (tick: () => void, milliseconds: number) => {
      const timer: Timer = { milliseconds, tick, running: true, unref: false }
      timers.push(timer)
      const handle = Object.assign(timer, { ref: () => handle, hasRef: () => !timer.unref })
      return Object.assign(handle, {
        unref () {
          Object.defineProperty(timer, 'unref', { value: true })
          return handle
        }
      })
    }
  })
  t.intercept(globalThis, 'clearInterval', {
    value: (timer?: Timer) => {
      if (timer) timer.running = false
    }
  })
  return timers
}

t.test('every logInterval each pool\'s gauges are logged, one line a pool', async (t) => {
  const timers = fakeIntervals(t)
  const reads = Object.assign(new FakePool(), { totalCount: 2, idleCount: 1 })
  const { lines } = await buildApp(t, { pools: { reads, writes: new FakePool() }, logInterval: '5s' })
  const { tick } = timers.find(({ milliseconds }) => milliseconds === 5_000)!

  tick()
  t.match(lines().filter(({ msg }) => msg === 'pool health'), [
    { level: 30, poolHealth: { pool: 'reads', size: 2, idle: 1, waiting: 0, max: 10, errors: 0 } },
    { level: 30, poolHealth: { pool: 'writes', size: 0, idle: 0, waiting: 0, max: 10, errors: 0 } }
  ])
  reads.waitingCount = 7
  tick()
  t.match(lines().findLast(({ poolHealth }) => poolHealth?.pool === 'reads'), { poolHealth: { waiting: 7 } })
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
