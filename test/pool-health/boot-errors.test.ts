import t from 'tap'
import poolHealth from '../../plugins/pool-health/index.js'
import { loggingApp } from './build-app.js'
import { FakePool } from './fake-pool.js'

const code = 'FST_HEADROOM_POOL_HEALTH_OPTION'
const pools = 'an object of pools by name, such as { main: app.pg.pool }'
const pool = 'a pool of pg, or a MongoClient or a connection of Mongoose that is connected'
const interval = "a duration of 1 ms or more and 2147483647 ms at most (milliseconds, or a string such as '250ms' or '15m'), or false"

const mistakes: Array<[title: string, options: unknown, message: string | RegExp]> = [
  ['a misspelt option', { pool: new FakePool() }, /options\.pool: expected one of the keys pools, leakThreshold, destroyLeaked, slowHold, deadline, logInterval, checkSettings, global, decorateAs, now, got the unknown key "pool"; did you mean "pools"\?/],
  ['a pool in place of the table of pools', { pools: new FakePool() }, `pool-health: options.pools: expected ${pools}, got an instance of FakePool`],
  ['an empty table of pools', { pools: {} }, `pool-health: options.pools: expected ${pools}, got an object`],
  ['pools: null', { pools: null }, `pool-health: options.pools: expected ${pools}, got null`],
  ['something in the table that is no pool', { pools: { main: new FakePool(), other: { query () {} } } }, `pool-health: options.pools.other: expected ${pool}, got an object`],
  ['a pool by two names', (() => { const pool = new FakePool(); return { pools: { main: pool, reads: pool } } })(), 'pool-health: options.pools.reads: expected each pool by one name, got that of options.pools.main'],
  ['undefined in the table', { pools: { main: undefined } }, `pool-health: options.pools.main: expected ${pool}, got undefined`],
  ['an array of pools', { pools: [new FakePool()] }, `pool-health: options.pools: expected ${pools}, got an array of 1`],
  ['a pool without its options', { pools: { main: Object.assign(new FakePool(), { options: null }) } }, `pool-health: options.pools.main: expected ${pool}, got an instance of FakePool`],
  ['logInterval 0', { pools: { main: new FakePool() }, logInterval: 0 }, `pool-health: options.logInterval: expected ${interval}, got 0`],
  ['logInterval: true', { pools: { main: new FakePool() }, logInterval: true }, `pool-health: options.logInterval: expected ${interval}, got true`],
  ['a destroyLeaked below leakThreshold', { pools: { main: new FakePool() }, destroyLeaked: '5s' }, 'pool-health: options.destroyLeaked: expected a duration not shorter than leakThreshold, 30000 ms, got 5000 ms'],
  ['an empty decorateAs', { pools: { main: new FakePool() }, decorateAs: '' }, 'pool-health: options.decorateAs: expected a non-empty string, got ""']
]

for (const [title, options, message] of mistakes) {
  t.test(`${title} stops the boot and names the key, what was expected and what arrived`, async (t) => {
    const { app } = loggingApp(t)
    await t.rejects(async () => { await app.register(poolHealth, options as object) }, { code, message })
  })
}

t.test('without a pool, given or of @fastify/postgres, the boot stops and says what to do', async (t) => {
  const { app } = loggingApp(t)
  await t.rejects(async () => { await app.register(poolHealth) }, {
    code, message: 'pool-health: options.pools: expected pools by name, or @fastify/postgres registered before, got undefined'
  })
})

t.test('an app.pg that is something else stops the boot', async (t) => {
  for (const pg of [{ pool: 'a swimming pool' }, {}, undefined]) {
    const { app } = loggingApp(t)
    app.decorate('pg' as string, pg as object)
    await t.rejects(async () => { await app.register(poolHealth) }, { code })
  }
})

t.test('a connection string given for the pools stops the boot without printing its password', async (t) => {
  const { app } = loggingApp(t)
  const mistaken = { pools: 'postgres://app:p4ssw0rd@db/shop' } as unknown as object
  const error = await Promise.resolve(app.register(poolHealth, mistaken)).then(() => undefined, (error: Error) => error)
  t.match(error, { code, message: /options\.pools: expected an object of pools/ })
  t.notMatch(error?.message, /p4ssw0rd/)
})

t.test('a decorator name that is taken stops the boot and leaves no listener on the pool', async (t) => {
  const { app } = loggingApp(t)
  app.decorate('poolHealth' as string, 'taken')
  const pool = new FakePool()
  await t.rejects(async () => { await app.register(poolHealth, { pools: { main: pool }, logInterval: false }) }, { code: 'FST_ERR_DEC_ALREADY_PRESENT' })
  t.strictSame(pool.eventNames(), [])
  t.notOk(Object.hasOwn(pool, 'connect') || Object.hasOwn(pool, 'query'))
})
