import t from 'tap'
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { childrenOf, runExample } from '../helpers/example-process.js'
import { seededPostgres } from '../helpers/example-app.js'
import { eventually } from '../helpers/eventually.js'
import { isAlive } from '../services/fixtures/spawn-owner.js'

t.test('on servers of its own', async (t) => {
  const SEED_USERS = '201'
  const first = runExample(t, { SEED_USERS })
  const url = await first.url

  t.test('it starts on a Postgres and a Redis of its own, and says so', async (t) => {
    t.match(first.output(), /Postgres: started here/)
    t.match(first.output(), /Redis: {4}started here/)
    t.equal(first.output().match(/^ {2}curl /gm)?.length, 11)
    const health = await (await fetch(`${url}/api/health`)).json()
    t.match(health, { status: 'ok', redis: 'ready' })
  })

  t.test('a second start beside it makes data of its own, and leaves neither server behind', async (t) => {
    const second = runExample(t, { SEED_USERS })
    const secondUrl = await second.url
    const users = await fetch(`${secondUrl}/api/users/201`)
    t.equal(users.status, 200)
    t.match(second.output(), /Another example runs on the kept data/)
    const servers = childrenOf(second.child)
    t.equal(servers.length, 2)
    // Ctrl-C: the terminal signals the whole group.
    process.kill(-second.child.pid!, 'SIGINT')
    t.equal(await second.ended, 0)
    await t.rejects(fetch(`${secondUrl}/api/health`))
    t.notOk(servers.some(isAlive))
  })

  t.test('killed, it takes its servers with it', async (t) => {
    const again = async (): Promise<boolean> => {
      const next = runExample(t, { SEED_USERS })
      await next.url
      return /data kept/.test(next.output())
    }
    first.child.kill('SIGKILL')
    await first.ended
    // The next start finds the kept data free: the server that held them is gone.
    await eventually(again, 10_000)
    t.pass()
  })
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
