import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import t, { type Test } from 'tap'
import { judge } from '../../plugins/write-behind/durability.js'
import type { RedisClient, WriteBehindPluginOptions } from '../../plugins/write-behind/index.js'
import { connect, freshPrefix, ready } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { ownCluster, ownRedis } from '../helpers/redis.js'
import { buildApp } from './build-app.js'

const plain = await ownRedis(t)
const durable = await ownRedis(t, { persist: true })

const refused = { code: 'FST_HEADROOM_WRITE_BEHIND_DURABILITY' }

async function boot (t: Test, redis: RedisClient, options: WriteBehindPluginOptions = {}) {
  const built = await buildApp(t, { redis, prefix: freshPrefix('durability-'), ...options })
  await built.app.writeBehind('things', { save: () => {} }).set('id', 1)
  return built
}

/** A client of a user that may not do some things. */
async function restricted (t: Test, admin: Redis, url: string, ...rules: string[]): Promise<Redis> {
  const user = `u${Math.random().toString(36).slice(2)}`
  await admin.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', ...rules)
  return await connect(t, url, { username: user, password: 'secret' })
}

t.test('a Redis that evicts under memory pressure stops the boot, whatever it would evict', async (t) => {
  const admin = await connect(t, plain.url)
  t.teardown(() => admin.config('SET', 'maxmemory-policy', 'noeviction'))
  for (const policy of ['allkeys-lru', 'allkeys-random', 'volatile-ttl', 'volatile-lfu']) {
    await admin.config('SET', 'maxmemory-policy', policy)
    await t.rejects(boot(t, admin), { ...refused, message: new RegExp(policy) })
    await t.rejects(boot(t, admin, { assumeDurable: true }), refused, 'and assumeDurable is not about that')
  }
  await admin.config('SET', 'maxmemory-policy', 'noeviction')
  await boot(t, admin)
})

t.test('with durable a Redis without an append-only file stops the boot, and is logged without', async (t) => {
  const admin = await connect(t, plain.url)
  await t.rejects(boot(t, admin, { durable: true }), { ...refused, message: /appendonly is no/ })
  t.match((await boot(t, admin)).log().join(), /appendonly is no/)
  await boot(t, admin, { durable: true, assumeDurable: true })
  for (const client of [await connect(t, durable.url), await ready(t, new Redis5(durable.url)), await connect(t, durable.url, { protocol: 3 } as object)]) {
    t.strictSame((await boot(t, client, { durable: true })).log(), [])
  }
})

t.test('where CONFIG is forbidden that is said, and INFO asked', async (t) => {
  const [badAdmin, goodAdmin] = [await connect(t, plain.url), await connect(t, durable.url)]
  t.match((await boot(t, await restricted(t, goodAdmin, durable.url, '-config'), { durable: true })).log().join(), /CONFIG is forbidden.*INFO/)
  await t.rejects(boot(t, await restricted(t, badAdmin, plain.url, '-config'), { durable: true }), { ...refused, message: /appendonly is no/ })
  await badAdmin.config('SET', 'maxmemory-policy', 'allkeys-lru')
  t.teardown(() => badAdmin.config('SET', 'maxmemory-policy', 'noeviction'))
  await t.rejects(boot(t, await restricted(t, badAdmin, plain.url, '-config')), { ...refused, message: /allkeys-lru/ })
})

t.test('where both are forbidden durable stops the boot, unless assumeDurable overrides', async (t) => {
  const admin = await connect(t, durable.url)
  const client = await restricted(t, admin, durable.url, '-config', '-info')
  await t.rejects(boot(t, client, { durable: true }), { ...refused, message: /could not be read: CONFIG is forbidden.*assumeDurable/ })
  t.match((await boot(t, client, { durable: true, assumeDurable: true })).log().join(), /CONFIG is forbidden/)
  t.match((await boot(t, client)).log().join(), /CONFIG is forbidden/)
})

t.test('each master of a Cluster is asked', async (t) => {
  const cluster = await ownCluster(t, { replicas: 0, persist: true })
  const client = await ready(t, new Cluster(cluster.startupNodes))
  await boot(t, client, { durable: true })
  await client.nodes('master')[1]!.config('SET', 'appendonly', 'no')
  await t.rejects(boot(t, client, { durable: true }), { ...refused, message: /appendonly is no/ })
})

t.test('a Redis that comes when the app is up is asked then, and writes are refused while it does not fit', async (t) => {
  const server = await ownRedis(t)
  await server.kill()
  const client = new Redis(server.url, { retryStrategy: () => 20 })
  client.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  const { app, log } = await buildApp(t, { redis: client, prefix: freshPrefix('durability-'), durable: true, commandTimeout: 100 })
  const queue = app.writeBehind('things', { save: () => {} })
  await server.restart()
  const unfit = { ...refused, statusCode: 503, headers: { 'retry-after': '1' } }
  await eventually(async () => await queue.set('id', 1).then(() => false, (error: { code: string }) => error.code === refused.code))
  await t.rejects(queue.set('id', 1), unfit)
  t.equal(log().filter((line) => line.includes('writes are refused')).length, 1)
  const admin = await connect(t, server.url)
  await admin.config('SET', 'appendonly', 'yes')
  client.disconnect(true)
  await eventually(async () => await queue.set('id', 1).then(() => true, () => false))
})

t.test('what is not said is judged as what was asked for has it', async (t) => {
  const unknown = { policy: undefined, appendOnly: undefined, isConfigForbidden: true }
  t.equal(judge(unknown, { durable: false, assumeDurable: false }).refusal, undefined)
  t.equal(judge(unknown, { durable: false, assumeDurable: false }).warnings.length, 2)
  t.type(judge(unknown, { durable: true, assumeDurable: false }).refusal, 'string')
  t.equal(judge(unknown, { durable: true, assumeDurable: true }).warnings.length, 1)
})
