import t from 'tap'
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { runExample } from '../helpers/example-process.js'
import { seededPostgres } from '../helpers/example-app.js'
import { eventually } from '../helpers/eventually.js'

t.test('it starts on a Postgres and a Redis of its own, says so, and leaves neither behind', async (t) => {
  const example = runExample(t, {})
  const url = await example.url
  t.match(example.output(), /Postgres: started here/)
  t.match(example.output(), /Redis: {4}started here/)
  t.equal(example.output().match(/^ {2}curl /gm)?.length, 8)
  const health = await (await fetch(`${url}/api/health`)).json()
  t.match(health, { status: 'ok', redis: 'ready' })
  // Ctrl-C: the terminal signals the whole group.
  process.kill(-example.child.pid!, 'SIGINT')
  t.equal(await example.ended, 0)
  await t.rejects(fetch(`${url}/api/health`))
})

t.test('a second start beside it makes data of its own', async (t) => {
  const first = runExample(t, { SEED_USERS: '201' })
  await first.url
  const second = runExample(t, { SEED_USERS: '201' })
  const users = await fetch(`${await second.url}/api/users/201`)
  t.equal(users.status, 200)
  t.match(second.output(), /Another example runs on the kept data/)
})

t.test('without a redis-server to be had it runs on the memory tier, and says so', async (t) => {
  const example = runExample(t, { DATABASE_URL: await seededPostgres(t), REDIS_SERVER: '/nowhere/redis-server' })
  const url = await example.url
  t.match(example.output(), /Redis: {4}none, so the cache keeps to its memory tier/)
  await fetch(`${url}/api/users/7`)
  t.equal((await fetch(`${url}/api/users/7`)).headers.get('x-served-from'), 'cache')
})

t.test('what is wrong in the environment or on the command line stops it with one line', async (t) => {
  for (const [environment, args, line] of [
    [{ PORT: 'http' }, [], 'environment variable PORT: expected a port from 0 (any free one) to 65535, got "http"'],
    [{}, ['--instances', '0'], 'command line --instances: expected a whole number from 1 to 16, got "0"'],
    [{ DATABASE_URL: 'postgres://postgres@127.0.0.1:1/postgres' }, [], 'The example could not start: no PostgreSQL at postgres://…@127.0.0.1:1/postgres: connect ECONNREFUSED 127.0.0.1:1']
  ] as const) {
    const example = runExample(t, environment, [...args])
    t.equal(await example.ended, 1)
    t.equal(example.output().trim(), line)
  }
})

t.test('a taken port is named, by one instance and by several', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const DATABASE_URL = await seededPostgres(t)
  for (const instances of ['1', '2']) {
    const example = runExample(t, { DATABASE_URL, PORT: String(port) }, ['--instances', instances])
    t.not(await example.ended, 0)
    t.match(example.output(), `port ${port} is taken on 127.0.0.1: set PORT to another one`)
  }
})

t.test('killed, it takes its servers with it', async (t) => {
  const example = runExample(t, { SEED_USERS: '202', HOST: '127.0.0.1' })
  await example.url
  const again = async (): Promise<boolean> => {
    const next = runExample(t, { SEED_USERS: '202' })
    await next.url
    return /data kept/.test(next.output())
  }
  example.child.kill('SIGKILL')
  await example.ended
  // The next start finds the kept data free: the server that held them is gone.
  await eventually(again, 10_000)
  t.pass()
})
