import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import pg from 'pg'
import t from 'tap'
import poolHealth from '../../plugins/pool-health/index.js'
import { manualClock } from '../helpers/clock.js'
import { eventually } from '../helpers/eventually.js'
import { usePostgres } from '../helpers/postgres.js'
import { currentContext } from '../../plugins/shared/request-context.js'
import { collectSpans, enableSpans, type Span } from '../../plugins/shared/spans.js'
import { buildApp, openPool } from './build-app.js'
import { fakeIntervals } from './fake-intervals.js'
import { FakePool } from './fake-pool.js'

t.test('query() gives what pool.query gives, from the first pool or the one that is named', async (t) => {
  const { url } = await usePostgres(t)
  const { app } = await buildApp(t, { pools: { main: openPool(t, url), reads: openPool(t, url, { application_name: 'reads' }) } })
  const { rows, rowCount, command } = await app.poolHealth.query<{ sum: number }>('SELECT $1::int + 1 AS sum', [41])
  t.strictSame([rows, rowCount, command], [[{ sum: 42 }], 1, 'SELECT'])
  t.match((await app.poolHealth.query({ text: 'SHOW application_name' }, undefined, { pool: 'reads' })).rows, [{ application_name: 'reads' }])
  t.match(app.poolHealth.status(), { main: { acquired: 1 }, reads: { acquired: 1 } })
  await t.rejects(app.poolHealth.query('SELECT 1', [], { pool: 'read' }), { code: 'FST_HEADROOM_POOL_HEALTH_QUERY', message: 'pool-health: query: expected the name of a pool of Postgres, got "read"' })
  await t.rejects(app.poolHealth.query('SELECT 1', [], { pol: 'reads' } as object), { code: 'FST_HEADROOM_POOL_HEALTH_QUERY', message: /query: options\.pol: .*did you mean "pool"\?/ })
})

t.test('the connection goes back whatever the query does, and the error is the driver\'s', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const { app } = await buildApp(t, { pools: { main: pool } })
  await t.rejects(app.poolHealth.query('SELECT 1/0'), { code: '22012' })
  await t.rejects(app.poolHealth.query('SELEKT'), { code: '42601' })
  await t.rejects(app.poolHealth.query('SELECT $1::int', []), { code: '42P02' })
  t.strictSame((await app.poolHealth.query('SELECT 1 AS one')).rows, [{ one: 1 }])
  t.match(app.poolHealth.status().main, { waiting: 0, asked: 4, acquired: 4, released: 4, idle: 1 })
})

t.test('a query is a span of the request, named by its shape, and so is the wait for a connection', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const { app } = await buildApp(t, { pools: { main: pool } })
  const disable = enableSpans()
  t.teardown(disable)
  const spans: Span[] = []
  const collect = async (work: () => Promise<unknown>): Promise<string[]> => {
    await collectSpans((span) => spans.push(span), work)
    t.ok(spans.every(({ start, end }) => end! >= start))
    return spans.splice(0).map(({ name }) => name)
  }
  await pool.query('SELECT 1')
  t.strictSame(await collect(() => app.poolHealth.query("SELECT 'p4ssw0rd', $1::text", ['s3cret'])), ['pool main: SELECT ?, $1::text'])
  t.strictSame(await collect(async () => await Promise.all([pool.query('SELECT 1'), pool.query('SELECT 2')])), ['pool main: wait'])
})

t.test('a pool that another library has wrapped since goes on working after the close, and so does query()', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url)
  const bare = pool.connect
  const { app } = await buildApp(t, { pools: { main: pool } })
  const ours = pool.connect
  let calls = 0
  pool.connect = function (this: unknown, ...args: unknown[]) { calls++; return Reflect.apply(ours, this, args) as never } as typeof pool.connect
  await app.close()
  t.strictSame((await app.poolHealth.query('SELECT 1 AS one')).rows, [{ one: 1 }])
  t.equal(calls, 1)

  const other = openPool(t, url)
  const second = await buildApp(t, { pools: { main: other } })
  t.not(other.connect, bare)
  await second.app.close()
  t.equal(other.connect, bare, 'as it was')
  t.notOk(Object.hasOwn(other, 'connect') || Object.hasOwn(other, 'query'))
})

t.test('two apps can watch one pool: each counts all, and each knows the request', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const { now, advance } = manualClock()
  const timers = fakeIntervals(t)
  const first = await buildApp(t, { pools: { main: pool }, leakThreshold: '30s', now })
  const second = await buildApp(t, { pools: { main: pool }, leakThreshold: '30s', now }, (app) => {
    app.get('/held', async () => { held.push(await pool.connect()) })
    app.get('/refused', { config: { poolHealth: { deadline: 20 } } }, async () => await pool.query('SELECT 1'))
  })
  const held: pg.PoolClient[] = []
  await Promise.all([pool.query('SELECT 1'), pool.query('SELECT 2')])
  const client = await pool.connect()
  await client.query('BEGIN')
  client.release()
  const { rows } = await pool.query<{ open: boolean }>('SELECT now() <> statement_timestamp() AS open')
  t.strictSame(rows, [{ open: false }])
  for (const { app } of [first, second]) t.match(app.poolHealth.status().main, { acquired: 4, released: 4, waiting: 0 })

  await second.app.inject('/held')
  const refused = await second.app.inject('/refused')
  t.equal(refused.statusCode, 503, 'the queue is left in the one and in the other')
  advance(30_000)
  for (const { tick } of timers) tick()
  for (const { lines } of [first, second]) t.match(lines().filter(({ leak }) => leak !== undefined), [{ leak: { route: '/held', site: /query\.test/ } }])
  held[0]!.release()
  for (const { app } of [first, second]) {
    const { asked, acquired, timeouts, failed, refused, expired, waiting } = app.poolHealth.status().main!
    t.equal(asked, acquired + timeouts + failed + refused + expired + waiting)
  }
  await first.app.close()
  t.strictSame((await pool.query('SELECT 1 AS one')).rows, [{ one: 1 }])
})

t.test('registered again in a child scope, the inner options rule there', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const { app } = await buildApp(t, { pools: { main: pool }, global: true, deadline: '5s' }, (app) => {
    app.get('/outer', async () => await pool.query('SELECT 1'))
    void app.register(async (child) => {
      await child.register(poolHealth, { pools: { main: pool }, global: true, deadline: 20, decorateAs: 'inner', logInterval: false, checkSettings: false })
      child.get('/inner', async () => await pool.query('SELECT 1'))
    })
  })
  const client = await pool.connect()
  const outer = app.inject('/outer')
  t.equal((await app.inject('/inner')).statusCode, 503)
  t.equal(pool.waitingCount, 1)
  client.release()
  t.equal((await outer).statusCode, 200)
  t.equal((await app.inject('/none')).statusCode, 404)
})

t.test('a connection that is opened for a request keeps it not, and who is called back is called back for its own', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  const opened: unknown[] = []
  const { app } = await buildApp(t, { pools: { main: pool } }, (app) => {
    pool.on('connect', () => opened.push(currentContext()))
    app.get('/', async (request) => await new Promise((resolve, reject) => {
      pool.connect((error, client, release) => {
        if (error) reject(error)
        client!.query('SELECT 1', () => {
          release()
          resolve({ isItsOwn })
        })
        const isItsOwn = currentContext()?.request === request
      })
    }))
  })
  const replies = await Promise.all([1, 2, 3].map(() => app.inject('/')))
  t.strictSame(replies.map((reply) => reply.json<object>()), Array(3).fill({ isItsOwn: true }))
  t.strictSame(opened, [undefined])
})

t.test('apps over one pool may come and go in any order', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 1 })
  let before = await buildApp(t, { pools: { main: pool } })
  for (let round = 0; round < 100; round++) {
    const next = await buildApp(t, { pools: { main: pool } })
    await before.app.close()
    before = next
  }
  await pool.query('SELECT 1')
  t.match(before.app.poolHealth.status().main, { acquired: 1, released: 1 })
  await before.app.close()
  t.notOk(Object.hasOwn(pool, 'connect') || Object.hasOwn(pool, 'query'), 'as it was')
  t.strictSame((await pool.query('SELECT 1 AS one')).rows, [{ one: 1 }])
})

t.test('a pool of a class of its own, whose connect knows of no callback, gives its connections', async (t) => {
  const { url } = await usePostgres(t)
  class TenantPool extends pg.Pool {
    override connect = (async () => {
      const client = await (Reflect.apply(pg.Pool.prototype.connect, this, []) as Promise<pg.PoolClient>)
      await client.query("SET application_name = 'tenant'")
      return client
    }) as unknown as pg.Pool['connect']
  }
  const pool = new TenantPool({ connectionString: url, max: 1 })
  t.teardown(() => pool.end())
  const { app } = await buildApp(t, { pools: { main: pool } })
  for (let n = 0; n < 3; n++) {
    const client = await pool.connect()
    t.match((await client.query('SHOW application_name')).rows, [{ application_name: 'tenant' }])
    client.release()
  }
  t.match(app.poolHealth.status().main, { acquired: 3, released: 3 })
})

t.test('what has ended keeps no request', async (t) => {
  const { url } = await usePostgres(t)
  const pool = openPool(t, url, { max: 2 })
  const ended: Array<WeakRef<object>> = []
  const { app } = await buildApp(t, { pools: { main: pool } }, (app) => {
    app.get('/', async (request) => {
      ended.push(new WeakRef(request))
      const client = await pool.connect()
      client.release()
    })
  })
  // One that lies below the others, and is not used again, was the first of a chain once.
  const below = await pool.connect()
  await app.inject('/')
  below.release()
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let n = 0; n < 50; n++) await app.inject('/')
  await eventually(() => {
    collect()
    return ended.filter((ref) => ref.deref() !== undefined).length <= 4
  })
  t.pass()
})

t.test('a wrong way to ask fails as pg has it fail', async (t) => {
  const { app } = await buildApp(t, { pools: { main: new FakePool() } })
  await t.rejects(app.poolHealth.query('SELECT 1'), { message: 'a fake has none' })
})
