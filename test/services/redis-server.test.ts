import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { startRedisServer } from '../../services/redis-server.js'
import { setEnvironment } from '../helpers/environment.js'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { isAlive } from './fixtures/spawn-owner.js'

function connect (t: Test, url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => 10 })
  redis.on('error', () => {})
  t.teardown(() => { redis.disconnect() })
  return redis
}

t.test('a Redis answers as soon as it has started and is gone when stopped', async (t) => {
  const server = await startRedisServer()
  const redis = connect(t, server.url)
  t.equal(await redis.ping(), 'PONG')
  t.same(await redis.config('GET', 'save'), ['save', ''])

  redis.disconnect()
  await server.stop()

  t.notOk(isAlive(server.pid))
})

t.test('two Redis servers run side by side', async (t) => {
  const [one, other] = await Promise.all([ownRedis(t), ownRedis(t)])
  await connect(t, one.url).set('where', 'one')
  t.equal(await connect(t, other.url).get('where'), null)
})

t.test('a paused Redis keeps its connections and answers once resumed', async (t) => {
  const server = await ownRedis(t)
  const redis = connect(t, server.url)
  await redis.ping()

  await server.pause()
  const answer = redis.ping()
  t.equal(await Promise.race([answer, delay(100, 'silence')]), 'silence')

  await server.resume()
  t.equal(await answer, 'PONG')
})

t.test('a killed Redis restarts on the same port with what it had persisted', async (t) => {
  const server = await ownRedis(t, { persist: true })
  const redis = connect(t, server.url)
  await redis.set('key', 'value')
  const { pid, url } = server

  await server.kill()
  t.notOk(isAlive(pid))
  await server.restart()

  t.not(server.pid, pid)
  t.equal(server.url, url)
  t.equal(await redis.get('key'), 'value')
})

t.test('a frozen Redis can be restarted and stopped', async (t) => {
  const server = await startRedisServer()
  await server.pause()
  await server.restart()
  await server.pause()
  await server.stop()
  t.notOk(isAlive(server.pid))
})

t.test('stopping twice is stopping once', async (t) => {
  const server = await startRedisServer()
  await Promise.all([server.stop(), server.stop()])
  await server.stop()
  t.notOk(isAlive(server.pid))
})

t.test('a port that was asked for and is taken is an error with the reason', async (t) => {
  const { port } = await ownRedis(t)
  await t.rejects(startRedisServer({ port }), { message: /redis-server ended with status 1 .*Address already in use/s })
})

t.test('a folder of the caller stays', async (t) => {
  const folder = t.testdir({})
  const server = await startRedisServer({ folder, persist: true })
  await connect(t, server.url).set('key', 'value')
  await server.stop()

  const again = await ownRedis(t, { folder, persist: true })
  t.equal(await connect(t, again.url).get('key'), 'value')
})

t.test('tests share the Redis of REDIS_URL and delete only their own keys', async (t) => {
  const { url } = await ownRedis(t)
  const redis = connect(t, url)
  await redis.set('theirs', 1)
  setEnvironment(t, { REDIS_URL: url })

  await t.test('a test', async (t) => {
    const used = await useRedis(t)
    t.equal(used.url, url)
    await redis.set(`${used.prefix}ours`, 1)
  })

  t.same(await redis.keys('*'), ['theirs'])
})

t.test('it never runs as root, also when we are', async (t) => {
  const server = await ownRedis(t)
  const [, uid] = /^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${server.pid}/status`, 'utf8')) ?? []
  t.ok(Number(uid) > 0)
})
