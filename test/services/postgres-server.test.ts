import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { startPostgresServer } from '../../services/postgres-server.js'
import { setEnvironment } from '../helpers/environment.js'
import { ownPostgres, query, usePostgres } from '../helpers/postgres.js'
import { isAlive } from './fixtures/spawn-owner.js'

/** A folder that goes when the servers in it have ended; that of t.testdir() goes before. */
async function scratch (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'headroom-data-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  // As the system's temporary folder is, for the unprivileged user that runs Postgres.
  await chmod(folder, 0o755)
  return folder
}

// Side by side: half of the time they wait for servers.
t.jobs = 2

t.test('a PostgreSQL answers as soon as it has started and is gone when stopped', async (t) => {
  const server = await startPostgresServer({ settings: { max_connections: 20 } })
  t.same(await query(server.url, 'SHOW max_connections'), [{ max_connections: '20' }])
  t.same(await query(server.url, 'SHOW server_encoding'), [{ server_encoding: 'UTF8' }])

  await server.stop()

  t.notOk(isAlive(server.pid))
})

t.test('it stops though clients are connected', async (t) => {
  const server = await startPostgresServer()
  const client = new pg.Client(server.url)
  client.on('error', () => {})
  await client.connect()
  await server.stop()
  t.notOk(isAlive(server.pid))
})

t.test('it stops though it is frozen', async (t) => {
  const server = await startPostgresServer()
  await server.pause()
  await server.stop()
  t.notOk(isAlive(server.pid))
})

t.test('two PostgreSQL servers run side by side', async (t) => {
  const [one, other] = await Promise.all([ownPostgres(t), ownPostgres(t)])
  await query(one.url, 'CREATE TABLE here ()')
  t.same(await query(other.url, "SELECT to_regclass('here') AS found"), [{ found: null }])
})

t.test('a paused PostgreSQL keeps its connections and answers once resumed', async (t) => {
  const server = await ownPostgres(t)
  const client = new pg.Client(server.url)
  await client.connect()
  t.teardown(() => client.end())

  await server.pause()
  let answered = false
  const answer = client.query('SELECT 1 AS one').then(({ rows }) => { answered = true; return rows })
  await t.rejects(query(server.url, 'SELECT 1'), 'new connections get no answer')
  t.notOk(answered, 'nor do those that are there')

  await server.resume()
  t.same(await answer, [{ one: 1 }])
})

t.test('a killed PostgreSQL restarts on the same port with its data', async (t) => {
  const server = await ownPostgres(t)
  await query(server.url, 'CREATE TABLE kept AS SELECT 1 AS one')
  const { pid, url } = server

  await server.kill()
  t.notOk(isAlive(pid))
  await server.restart()

  t.not(server.pid, pid)
  t.same(await query(url, 'TABLE kept'), [{ one: 1 }])
})

t.test('a data folder of the caller keeps its data', async (t) => {
  const folder = join(await scratch(t), 'new/data')
  const server = await startPostgresServer({ folder, keep: true })
  await query(server.url, 'CREATE TABLE kept AS SELECT 1 AS one')
  t.same(await query(server.url, 'SHOW fsync'), [{ fsync: 'on' }])
  await server.stop()

  const again = await ownPostgres(t, { folder })
  t.same(await query(again.url, 'TABLE kept'), [{ one: 1 }])
})

t.test('a data folder in use by a living server is an error with a code', async (t) => {
  const folder = join(await scratch(t), 'data')
  const server = await ownPostgres(t, { folder })
  await t.rejects(startPostgresServer({ folder }), { code: 'HEADROOM_POSTGRES_FOLDER_IN_USE' })
  t.same(await query(server.url, 'SELECT 1 AS one'), [{ one: 1 }], 'the living server is not disturbed')
})

t.test('of two starts on one data folder at once, one wins and the other gets the code', async (t) => {
  const folder = join(await scratch(t), 'data')
  const results = await Promise.allSettled([startPostgresServer({ folder }), startPostgresServer({ folder })])
  const codes: unknown[] = []
  for (const result of results) {
    if (result.status === 'rejected') codes.push(result.reason.code)
    else await result.value.stop()
  }
  t.same(codes, ['HEADROOM_POSTGRES_FOLDER_IN_USE'])
})

t.test('the lock file of a crash does not hinder a start, even when its pid is taken', async (t) => {
  const folder = join(await scratch(t), 'data')
  const server = await startPostgresServer({ folder })
  const lock = join(folder, 'postmaster.pid')
  const left = (await readFile(lock, 'utf8')).replace(/^\d+/, String(process.ppid))
  await server.stop()
  await writeFile(lock, left)

  const again = await ownPostgres(t, { folder })
  t.same(await query(again.url, 'SELECT 1 AS one'), [{ one: 1 }])
})

t.test('a folder without keep goes with the server', async (t) => {
  const parent = await scratch(t)
  const folder = join(parent, 'data')
  const server = await startPostgresServer({ folder, keep: false })
  await server.stop()
  await t.rejects(stat(join(folder, 'PG_VERSION')), { code: 'ENOENT' })
})

t.test('a folder with something else in it is refused and left alone', async (t) => {
  const folder = t.testdir({ letter: 'dear' })
  await t.rejects(startPostgresServer({ folder, keep: false }), { message: /holds something else than PostgreSQL's data/ })
  t.equal(await readFile(join(folder, 'letter'), 'utf8'), 'dear')
})

t.test('an empty folder becomes a data folder', async (t) => {
  const folder = join(await scratch(t), 'data')
  await mkdir(folder)
  const server = await ownPostgres(t, { folder })
  t.same(await query(server.url, 'SELECT 1 AS one'), [{ one: 1 }])
})

t.test('a setting PostgreSQL does not know is an error with its reason', async (t) => {
  await t.rejects(startPostgresServer({ settings: { no_such_thing: 1 } }), { message: /postgres ended with status 1 .*no_such_thing/s })
})

t.test('tests share the server of DATABASE_URL and drop only their own database', async (t) => {
  const { url: admin } = await ownPostgres(t)
  setEnvironment(t, { DATABASE_URL: admin })
  let url = ''

  await t.test('a test', async (t) => {
    url = (await usePostgres(t)).url
    await query(url, 'CREATE TABLE here ()')
  })

  await t.rejects(query(url, 'SELECT 1'), { code: '3D000' })
})

t.test('keep needs a folder', async (t) => {
  await t.rejects(startPostgresServer({ keep: true }), { message: 'keep: true needs a folder to keep' })
})
