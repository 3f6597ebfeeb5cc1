import type { ChildProcess } from 'node:child_process'
import t, { type Test } from 'tap'
import pg from 'pg'
import { seededPostgres } from '../helpers/example-app.js'
import { type ExampleProcess, runExample } from '../helpers/example-process.js'
import { eventually } from '../helpers/eventually.js'
import { ownRedis } from '../helpers/redis.js'
import { query } from '../helpers/postgres.js'

const redis = await ownRedis(t)
const databaseUrl = await seededPostgres(t)
const environment = { DATABASE_URL: databaseUrl, REDIS_URL: redis.url }

/** A PUT that waits in Postgres until `release`: the row it wants is locked. */
async function heldRequest (url: string): Promise<{ response: Promise<Response>, release (): Promise<void> }> {
  const locker = new pg.Client({ connectionString: databaseUrl })
  await locker.connect()
  await locker.query('BEGIN; SELECT FROM headroom_example.users WHERE id = 5 FOR UPDATE')
  const response = fetch(`${url}/api/users/5`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"name":"Patience"}' })
  await eventually(async () => (await query(databaseUrl, "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")).length > 0)
  return { response, release: async () => { await locker.end() } }
}

async function isRefused (url: string): Promise<boolean> {
  // Between several instances that close, a new connection waits for one that takes it.
  return await fetch(`${url}/api/health`, { signal: AbortSignal.timeout(500) }).then((response) => response.status === 503, () => true)
}

/** Signals while a request is under way: that one is answered, no new ones are taken, and the example ends well. */
async function stopsInGoodOrder (t: Test, signal: (child: ChildProcess) => void, args?: string[], command?: string[]): Promise<ExampleProcess> {
  const example = runExample(t, environment, args, command)
  const url = await example.url
  const held = await heldRequest(url)
  signal(example.child)
  await eventually(() => isRefused(url))
  await held.release()
  t.equal((await held.response).status, 200)
  t.equal(await example.ended, 0)
  return example
}

const NPM_START = ['npm', 'start', '--ignore-scripts']

/** Ctrl-C: the terminal signals every process. */
function interrupt ({ pid }: ChildProcess): void {
  process.kill(-pid!, 'SIGINT')
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} lets a request that is under way finish, and takes no new ones`, async (t) => {
    await stopsInGoodOrder(t, (child) => { child.kill(signal) })
  })
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} to npm start alone ends it in good order, with what it has started`, async (t) => {
    const example = runExample(t, { SEED_USERS: '202' }, [], NPM_START)
    const url = await example.url
    example.child.kill(signal)
    t.equal(await example.ended, 0)
    await t.rejects(fetch(`${url}/api/health`))
  })
}

t.test('Ctrl-C to npm start, which then passes it on once more, lets a request that is under way finish', async (t) => {
  await stopsInGoodOrder(t, interrupt, [], NPM_START)
})

t.test('Ctrl-C lets a request that is under way finish, also on several instances', async (t) => {
  // The primary signals its instances besides.
  const example = await stopsInGoodOrder(t, interrupt, ['--instances', '2'])
  t.notMatch(example.output(), /second/)
})

/** Milliseconds of a boot with Redis there. */
let usual: number

async function boot (t: Test): Promise<{ example: ExampleProcess, url: string, took: number }> {
  const began = performance.now()
  const example = runExample(t, environment)
  const url = await example.url
  return { example, url, took: performance.now() - began }
}

t.test('with Redis hung it still serves, and closes within 2 s', async (t) => {
  const { example, url, took: bootTook } = await boot(t)
  usual = bootTook
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
  await redis.kill()
  const { took, url } = await boot(t)
  t.ok(took - usual < 2_000, `${(took - usual).toFixed(0)} ms more than the usual ${usual.toFixed(0)} ms`)
  t.equal((await fetch(`${url}/api/users/7`)).status, 200)
  await redis.restart()
  await eventually(async () => (await (await fetch(`${url}/api/health`)).json() as { redis: string }).redis === 'ready')
  t.pass()
})
