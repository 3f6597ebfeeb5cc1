import pg from 'pg'
import t from 'tap'
import { mongoWarnings, pgWarnings } from '../../plugins/pool-health/settings-check.js'
import { buildApp, type LogEntry } from './build-app.js'

const GOOD_PG = { max: 20, min: 5, idleTimeoutMillis: 30_000, connectionTimeoutMillis: 2_000, maxUses: 7_500, query_timeout: 10_000 }
const GOOD_MONGO = { maxPoolSize: 10, minPoolSize: 2, serverSelectionTimeoutMS: 5_000, socketTimeoutMS: 45_000, waitQueueTimeoutMS: 2_000 }

t.test('the recommended settings are warned of by nobody', async (t) => {
  t.strictSame(pgWarnings(GOOD_PG), [])
  t.strictSame(mongoWarnings(GOOD_MONGO), [])
  t.strictSame(pgWarnings({ ...GOOD_PG, maxUses: undefined, maxLifetimeSeconds: 3_600, query_timeout: undefined, statement_timeout: 5_000 }), [], 'nor what serves the same end')
})

const pgCases: Array<[setting: keyof typeof GOOD_PG, value: number | undefined, why: RegExp]> = [
  ['max', 1, /single slow query/],
  ['max', 500, /max_connections/],
  ['min', undefined, /quiet time/],
  ['min', 21, /more than max/],
  ['idleTimeoutMillis', 0, /never closed/],
  ['idleTimeoutMillis', 10, /opened again/],
  ['connectionTimeoutMillis', undefined, /for ever/],
  ['connectionTimeoutMillis', 60_000, /longer than a client waits/],
  ['maxUses', undefined, /lives for ever/],
  ['maxUses', Infinity, /lives for ever/],
  ['maxUses', 3, /costs more/],
  ['query_timeout', undefined, /hangs/]
]
for (const [setting, value, why] of pgCases) {
  t.test(`pg ${setting}: ${value} is warned of, with the reason`, async (t) => {
    t.match(pgWarnings({ ...GOOD_PG, [setting]: value }), [{ setting, value: value ?? 'unset', recommended: GOOD_PG[setting], why }])
  })
}

const mongoCases: Array<[setting: keyof typeof GOOD_MONGO, value: number | undefined, why: RegExp]> = [
  ['maxPoolSize', 0, /no limit/],
  ['maxPoolSize', 1, /single slow operation/],
  ['maxPoolSize', 500, /every server/],
  ['minPoolSize', undefined, /quiet time/],
  ['serverSelectionTimeoutMS', undefined, /30000 ms/],
  ['serverSelectionTimeoutMS', 0, /for ever/],
  ['socketTimeoutMS', 0, /hangs/],
  ['waitQueueTimeoutMS', 0, /exhausted/]
]
for (const [setting, value, why] of mongoCases) {
  t.test(`mongodb ${setting}: ${value} is warned of, with the reason`, async (t) => {
    t.match(mongoWarnings({ ...GOOD_MONGO, [setting]: value }), [{ setting, value: value ?? 'unset', recommended: GOOD_MONGO[setting], why }])
  })
}

t.test('at boot each is one line, of the pool as pg has completed its options; checkSettings: false is silent', async (t) => {
  const warned = (lines: LogEntry[]): unknown[] => lines.filter(({ level }) => level === 40).map(({ pool, setting, value, why }) => [pool, setting, value, typeof why])
  const careless = new pg.Pool({ connectionString: 'postgres://u:p4ssw0rd@127.0.0.1:1/x' })
  const { lines, text } = await buildApp(t, { pools: { careless, careful: new pg.Pool(GOOD_PG) }, checkSettings: true })
  t.strictSame(warned(lines()), [
    ['careless', 'min', 0, 'string'],
    ['careless', 'connectionTimeoutMillis', 'unset', 'string'],
    ['careless', 'maxUses', 'Infinity', 'string'],
    ['careless', 'query_timeout', 'unset', 'string']
  ])
  t.notMatch(text(), /p4ssw0rd/)
  const silent = await buildApp(t, { pools: { careless }, checkSettings: false })
  t.strictSame(warned(silent.lines()), [])
})

t.test('a deadline that is not over before the driver\'s own is told, once', async (t) => {
  const pool = new pg.Pool({ ...GOOD_PG, connectionTimeoutMillis: 500 })
  const { lines } = await buildApp(t, { pools: { main: pool }, checkSettings: true, deadline: '100ms' }, (app) => {
    app.get('/good', { config: { poolHealth: true } }, async () => ({}))
    for (const url of ['/late', '/later']) app.get(url, { config: { poolHealth: { deadline: '5s' } } }, async () => ({}))
  })
  t.match(lines().filter(({ deadline }) => deadline !== undefined), [
    { level: 40, pool: 'main', deadline: 5_000, connectionTimeoutMillis: 500, msg: 'route GET /late: config.poolHealth: a deadline of 5000 ms has no effect on pool main, whose connectionTimeoutMillis, 500 ms, is over first' }
  ])
})
