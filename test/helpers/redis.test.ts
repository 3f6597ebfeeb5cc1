import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { setEnvironment } from './environment.js'
import { ownRedis, ownCluster, ownSentinel } from './redis.js'

function connect (t: Test, url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  t.teardown(() => { redis.disconnect() })
  return redis
}

// Side by side, and first the one that waits longest for servers.
t.jobs = 2

t.test('tests of a Cluster and of Sentinel have their own, whatever Redis the environment names', async (t) => {
  setEnvironment(t, { REDIS_URL: 'redis://127.0.0.1:1', SUITE_CLUSTER: '[]', SUITE_SENTINEL: '{}' })
  let ports: number[] = []
  await t.test('a test', async (t) => {
    const [{ nodes }, { servers, guards }] = await Promise.all([ownCluster(t), ownSentinel(t)])
    ports = [...nodes, ...servers, ...guards].map(({ port }) => port)
    t.equal(new Set(ports).size, 11)
  })
  for (const port of ports) {
    const refused = new Promise<NodeJS.ErrnoException>((resolve) => { connect(t, `redis://127.0.0.1:${port}`).once('error', resolve) })
    t.equal((await refused).code, 'ECONNREFUSED')
  }
})

t.test('a frozen Redis hangs a client: its command is neither answered nor failed until Redis is resumed', async (t) => {
  const server = await ownRedis(t)
  const redis = connect(t, server.url)
  await redis.ping()
  await server.pause()

  let settled = false
  const written = redis.set('key', 'late').finally(() => { settled = true })
  await new Promise((resolve) => { setTimeout(resolve, 200) })
  t.notOk(settled)
  t.equal(redis.status, 'ready', 'and the client sees nothing wrong')

  await server.resume()
  t.equal(await written, 'OK')
  t.equal(await redis.get('key'), 'late', 'what was sent meanwhile has been executed')
})

t.test('a killed Redis breaks its connections and refuses new ones', async (t) => {
  const server = await ownRedis(t)
  const redis = connect(t, server.url)
  await redis.ping()
  const closed = new Promise((resolve) => { redis.once('close', resolve) })

  await server.kill()

  await closed
  const refused = new Promise<NodeJS.ErrnoException>((resolve) => { connect(t, server.url).once('error', resolve) })
  t.equal((await refused).code, 'ECONNREFUSED')
})

for (const end of ['killed', 'living'] as const) {
  t.test(`a ${end} Redis restarts empty when nothing is persisted`, async (t) => {
    const server = await ownRedis(t)
    await connect(t, server.url).set('key', 'value')
    if (end === 'killed') await server.kill()
    await server.restart()
    t.equal(await connect(t, server.url).dbsize(), 0)
  })

  t.test(`a ${end} Redis that persists restarts with its data, and empty on demand`, async (t) => {
    const server = await ownRedis(t, { persist: true })
    const { pid, url } = server
    await connect(t, url).set('key', 'value')
    if (end === 'killed') await server.kill()
    await server.restart()
    t.equal(await connect(t, url).get('key'), 'value')

    if (end === 'killed') await server.kill()
    await server.restart({ empty: true })
    t.equal(await connect(t, url).dbsize(), 0)
    t.not(server.pid, pid)
    t.equal(server.url, url)
  })
}
