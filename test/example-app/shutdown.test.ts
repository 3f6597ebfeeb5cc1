import t from 'tap'
import pg from 'pg'
import { seededPostgres } from '../helpers/example-app.js'
import { type ExampleProcess, runExample } from '../helpers/example-process.js'
import { eventually } from '../helpers/eventually.js'
import { ownRedis } from '../helpers/redis.js'
import { query } from '../helpers/postgres.js'

/** A PUT that waits in Postgres until `release`: the row it wants is locked. */
async function heldRequest (databaseUrl: string, url: string): Promise<{ response: Promise<Response>, release (): Promise<void> }> {
  const locker = new pg.Client({ connectionString: databaseUrl })
  await locker.connect()
  await locker.query('BEGIN; SELECT FROM headroom_example.users WHERE id = 5 FOR UPDATE')
  const response = fetch(`${url}/api/users/5`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"name":"Patience"}' })
  await eventually(async () => (await query(databaseUrl, "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).length > 0)
  return { response, release: async () => { await locker.end() } }
}

async function isRefused (url: string): Promise<boolean> {
  // Between several instances that close, a new connection waits for one that takes it.
  return await fetch(`${url}/api/health`, { signal: AbortSignal.timeout(500) }).then((response) => response.status === 503, () => true)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} lets a request that is under way finish, and takes no new ones`, async (t) => {
    const databaseUrl = await seededPostgres(t)
    const example = runExample(t, { DATABASE_URL: databaseUrl, REDIS_URL: (await ownRedis(t)).url })
    const url = await example.url
    const held = await heldRequest(databaseUrl, url)
    example.child.kill(signal)
    await eventually(() => isRefused(url))
    await held.release()
    t.equal((await held.response).status, 200)
    t.equal(await example.ended, 0)
  })
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} to npm start alone ends it in good order, with what it has started`, async (t) => {
    const example = runExample(t, { SEED_USERS: '202' }, [], ['npm', 'start', '--ignore-scripts'])
    const url = await example.url
    example.child.kill(signal)
    t.equal(await example.ended, 0)
    await t.rejects(fetch(`${url}/api/health`))
  })
}

t.test('Ctrl-C to npm start, which then passes it on once more, lets a request that is under way finish', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const example = runExample(t, { DATABASE_URL: databaseUrl, REDIS_URL: (await ownRedis(t)).url }, [], ['npm', 'start', '--ignore-scripts'])
  const url = await example.url
  const held = await heldRequest(databaseUrl, url)
  process.kill(-example.child.pid!, 'SIGINT')
  await eventually(() => isRefused(url))
  await held.release()
  t.equal((await held.response).status, 200)
  t.equal(await example.ended, 0)
})

t.test('Ctrl-C lets a request that is under way finish, also on several instances', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const example = runExample(t, { DATABASE_URL: databaseUrl, REDIS_URL: (await ownRedis(t)).url }, ['--instances', '2'])
  const url = await example.url
  const held = await heldRequest(databaseUrl, url)
  // The terminal signals every process; the primary signals its instances besides.
  process.kill(-example.child.pid!, 'SIGINT')
  await eventually(() => isRefused(url))
  await held.release()
  t.equal((await held.response).status, 200)
  t.equal(await example.ended, 0)
  t.notMatch(example.output(), /second/)
})

t.test('with Redis hung it still serves, and closes within 2 s', async (t) => {
  const redis = await ownRedis(t)
  const example: ExampleProcess = runExample(t, { DATABASE_URL: await seededPostgres(t), REDIS_URL: redis.url })
  const url = await example.url
  await redis.pause()
  t.equal((await fetch(`${url}/api/users/7`)).status, 200)
  const put = await fetch(`${url}/api/users/7`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"name":"Ada"}' })
  t.equal(put.status, 200)
  const began = performance.now()
  example.child.kill('SIGTERM')
  t.equal(await example.ended, 0)
  const took = performance.now() - began
  t.ok(took < 2_000, `closed in ${took.toFixed(0)} ms`)
})

t.test('with Redis down it boots in 2 s more at most, and connects when Redis appears', async (t) => {
  const redis = await ownRedis(t)
  const databaseUrl = await seededPostgres(t)
  const boot = async (): Promise<{ took: number, url: string }> => {
    const began = performance.now()
    const url = await runExample(t, { DATABASE_URL: databaseUrl, REDIS_URL: redis.url }).url
    return { took: performance.now() - began, url }
  }
  const { took: usual } = await boot()
  await redis.kill()
  const { took, url } = await boot()
  t.ok(took - usual < 2_000, `${(took - usual).toFixed(0)} ms more than the usual ${usual.toFixed(0)} ms`)
  t.equal((await fetch(`${url}/api/users/7`)).status, 200)
  await redis.restart()
  await eventually(async () => (await (await fetch(`${url}/api/health`)).json() as { redis: string }).redis === 'ready')
  t.pass()
})
