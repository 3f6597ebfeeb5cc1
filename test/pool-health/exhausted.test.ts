import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { manualClock } from '../helpers/clock.js'
import { eventually } from '../helpers/eventually.js'
import { connectTo } from '../helpers/http-client.js'
import { usePostgres } from '../helpers/postgres.js'
import { isSoak } from '../helpers/soak.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import poolHealth from '../../plugins/pool-health/index.js'
import { buildApp, openPool } from './build-app.js'

const { url } = await usePostgres(t)

const BUSY = /FST_HEADROOM_POOL_HEALTH_BUSY/

function quantile (values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1]!
}

/** What all of a pool's connections are held by for a while, milliseconds. */
const HOLD = 50
const DEADLINE = 100
const CLIENTS = 200

/** After so many milliseconds who was refused comes again: app and clients share a processor, which must not be what they wait for. */
const PAUSE = 400

for (const handles of ['Fastify\'s own', 'the host\'s'] as const) {
  t.test(`under more than a pool can serve who is refused knows at once, who is admitted waits for no longer than the deadline, and each 503 says when to come again: ${handles} error handler`, async (t) => {
    const pool = openPool(t, url, { max: 5 })
    const refusedIn: number[] = []
    // Without a logger: what a line for each refusal takes is not the pool's.
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(poolHealth, { pools: { main: pool }, logInterval: false, checkSettings: false })
    if (handles === 'the host\'s') app.setErrorHandler((error: { statusCode?: number, code?: string }, _request, reply) => { void reply.code(error.statusCode ?? 500).send({ mine: error.code }) })
    app.get('/', { config: { poolHealth: { deadline: DEADLINE } } }, async () => {
      const start = performance.now()
      const { refused } = app.poolHealth.status().main!
      const asked = pool.query(`SELECT pg_sleep(${HOLD / 1_000})`)
      // Counted at once, unlike who waits until the deadline.
      const isRefused = app.poolHealth.status().main!.refused > refused
      try {
        await asked
      } catch (error) {
        if (isRefused) refusedIn.push(performance.now() - start)
        throw error
      }
      return {}
    })
    // A connection that is opened is not what is measured.
    await Promise.all(Array.from({ length: 5 }, () => pool.query('SELECT 1')))
    app.get('/warm', async () => ({}))
    const client = await connectTo(t, app)
    // Nor is a socket that is opened.
    for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: CLIENTS }, () => client.request('/warm')))
    const unloaded: number[] = []
    for (let n = 0; n < 8; n++) unloaded.push(await timed(() => client.request('/')))

    const admitted: number[] = []
    const refused: number[] = []
    const end = performance.now() + (isSoak ? 20_000 : handles === 'the host\'s' ? 1_000 : 2_000)
    // What anything takes on this machine at this time, that has nothing to do with the pool.
    const others: number[] = []
    // For so long no timer can ring.
    const standstills = monitorEventLoopDelay({ resolution: 1 })
    standstills.enable()
    const probing = (async () => {
      while (performance.now() < end) {
        others.push(await timed(() => client.request('/warm')))
        await delay(10)
      }
    })()
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      // In how long one is answered, and not a crowd that comes at the same moment.
      await delay(Math.random() * PAUSE)
      while (performance.now() < end) {
        const start = performance.now()
        const { status, headers, body } = await client.request('/')
        const took = performance.now() - start
        if (status === 200) {
          admitted.push(took)
          continue
        }
        assert.equal(status, 503, String(body))
        assert.match(String(body), BUSY)
        assert.equal(String(body).includes('mine'), handles === 'the host\'s')
        assert.match(String(headers['retry-after']), /^[1-9]\d*$/)
        refused.push(took)
        await delay(PAUSE * (0.5 + Math.random()))
      }
    }))

    await probing
    standstills.disable()
    const longestStandstill = standstills.max / 1e6
    // As it was held, which on a busy machine is for longer than its query sleeps.
    const hold = Math.max(HOLD, app.poolHealth.status().main!.hold.p95)
    const busy = { p50: quantile(others, 0.5), p95: quantile(others, 0.95) }
    const figures = {
      'refused within, p99': quantile(refusedIn, 0.99),
      'refused over the socket, p50': quantile(refused, 0.5),
      'admitted, p95': quantile(admitted, 0.95),
      'unloaded, p95': quantile(unloaded, 0.95)
    }
    t.comment(JSON.stringify({ 'hold, p95': hold, others: busy, longestStandstill, admitted: admitted.length, refused: refused.length, ...figures }))
    t.ok(refusedIn.length > 100 && admitted.length > 20, 'some were admitted, many refused')
    t.ok(figures['refused within, p99'] < 5 + busy.p95)
    t.ok(figures['refused over the socket, p50'] < 5 + 2 * busy.p95)
    // Beside other tests one in twenty requests can be late for reasons of its own; in the soak, none is.
    t.ok(quantile(admitted, isSoak ? 0.95 : 0.5) <= DEADLINE + 2 * hold + 2 * busy.p95)
    t.ok(app.poolHealth.status().main!.wait.max <= 1.1 * DEADLINE + longestStandstill, 'nobody waited for longer than the deadline')
    const { asked, acquired, refused: sent, expired, waiting, size, idle } = app.poolHealth.status().main!
    t.strictSame([acquired + sent + expired, waiting, idle], [asked, 0, size])
  })
}

async function timed (act: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await act()
  return performance.now() - start
}

/** GET waits for a connection for 150 ms. */
async function guarded (t: Test, pool: ReturnType<typeof openPool>): Promise<{ app: FastifyInstance, wait: () => Promise<{ statusCode: number, took: number, body: string, headers: Record<string, unknown> }> }> {
  const { app } = await buildApp(t, { pools: { main: pool } }, (app) => {
    app.get('/', { config: { poolHealth: { deadline: 150 } } }, async () => (await pool.query('SELECT 1 AS one')).rows)
  })
  return {
    app,
    async wait () {
      const start = performance.now()
      const { statusCode, body, headers } = await app.inject('/')
      return { statusCode, body, headers, took: performance.now() - start }
    }
  }
}

t.test('who has waited until the deadline has the same 503 and gives up its place; who has none keeps its own, and no client is lost', async (t) => {
  for (const connectionTimeoutMillis of [0, 5_000]) {
    const pool = openPool(t, url, { max: 2, connectionTimeoutMillis })
    const { app, wait } = await guarded(t, pool)
    const held = [await pool.connect(), await pool.connect()]
    const order: string[] = []
    const before = pool.connect().then((client) => { order.push('before'); return client })
    const late = wait()
    await eventually(() => pool.waitingCount === 2)
    const after = pool.connect().then((client) => { order.push('after'); return client })
    const { statusCode, body, headers, took } = await late
    t.match({ statusCode, body }, { statusCode: 503, body: BUSY })
    t.match(headers['retry-after'], /^[1-9]\d*$/)
    t.ok(took >= 148 && took < 1_000, `${took} ms`)
    t.equal(pool.waitingCount, 2, 'the others')
    for (const client of held) client.release()
    for (const client of [await before, await after]) client.release()
    t.strictSame(order, ['before', 'after'])
    t.match(app.poolHealth.status().main, { asked: 5, acquired: 4, released: 4, expired: 1, timeouts: 0, waiting: 0, size: 2, idle: 2 })
    t.equal((await wait()).statusCode, 200)
  }
})

t.test('the same where it is opened for the one who waits, by a server that does not answer: it goes to the next when it comes', async (t) => {
  for (const connectionTimeoutMillis of [0, 5_000]) {
    const proxy = await startProxy(t, url)
    const pool = openPool(t, proxy.url, { max: 1, connectionTimeoutMillis })
    const { app, wait } = await guarded(t, pool)
    proxy.swallow('toClient')
    const { statusCode, body, took } = await wait()
    t.match({ statusCode, body }, { statusCode: 503, body: BUSY })
    t.ok(took >= 148 && took < 1_000, `${took} ms`)
    t.match(app.poolHealth.status().main, { expired: 1, size: 1, idle: 0, waiting: 0 }, 'it is being opened still')
    const next = pool.connect()
    proxy.letThrough()
    ;(await next).release()
    t.equal((await wait()).statusCode, 200)
    t.match(app.poolHealth.status().main, { asked: 3, acquired: 2, released: 2, expired: 1, opened: 1, size: 1, idle: 1, waiting: 0 })
  }
})

t.test('who has given up is counted once, also when the connection that was opened for it fails later', async (t) => {
  const proxy = await startProxy(t, url)
  const pool = openPool(t, proxy.url, { max: 1, connectionTimeoutMillis: 300 })
  const { app, wait } = await guarded(t, pool)
  proxy.swallow('toClient')
  t.match(await wait(), { statusCode: 503, body: BUSY })
  await eventually(() => pool.totalCount === 0)
  t.match(app.poolHealth.status().main, { asked: 1, expired: 1, timeouts: 0, failed: 0, size: 0, waiting: 0 })
  proxy.letThrough()
  t.equal((await wait()).statusCode, 200)
  t.equal(app.poolHealth.pools.main!.predictedWait(), 0)
})

t.test('ten thousand who give up at once cost little, and the next who asks is served', async (t) => {
  const pool = openPool(t, url, { max: 1, connectionTimeoutMillis: 60_000 })
  // By a clock that stands still nobody is refused beforehand.
  const { now } = manualClock()
  const MANY = 10_000
  const took = { asking: 0, givingUp: 0 }
  const { app } = await buildApp(t, { pools: { main: pool }, now }, (app) => {
    app.get('/', { config: { poolHealth: { deadline: '2s' } } }, async () => {
      const start = performance.now()
      let first = Infinity
      const waiting = Promise.allSettled(Array.from({ length: MANY }, () => pool.connect().catch((error: unknown) => {
        first = Math.min(first, performance.now())
        throw error
      })))
      took.asking = performance.now() - start
      const settled = await waiting
      took.givingUp = performance.now() - first
      return settled.filter((one) => one.status === 'rejected' && one.reason.code === 'FST_HEADROOM_POOL_HEALTH_BUSY').length
    })
  })
  const client = await pool.connect()
  t.equal((await app.inject('/')).body, String(MANY))
  t.comment(JSON.stringify(took))
  t.ok(took.asking < 2_000 && took.givingUp < 2_000)
  t.match(app.poolHealth.status().main, { expired: MANY, waiting: 0, asked: MANY + 1, acquired: 1 })
  const next = pool.connect()
  client.release()
  ;(await next).release()
  t.match(app.poolHealth.status().main, { size: 1, idle: 1, acquired: 2, released: 2 })
})
