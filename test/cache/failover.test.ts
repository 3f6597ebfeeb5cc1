import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { ownRedis } from '../helpers/redis.js'
import { buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

t.test('what another server in the place of Redis has not heard of is told again, before it is given out for long', async (t) => {
  const server = await ownRedis(t)
  const prefix = freshPrefix('app')
  const a = await buildApp(t, { redis: await connect(t, server.url), prefix, memory: false, commandTimeout: '1s' })
  const b = await buildApp(t, { redis: await connect(t, server.url), prefix, memory: false, commandTimeout: '1s' })
  await trustsRedis(a)
  await a.cache.set('deleted', 'old', { ttl: '1h' })
  await a.cache.set('set', 'old', { ttl: '1h' })
  await a.cache.set('tagged', 'old', { ttl: '1h', tags: ['tag'] })
  const admin = await connect(t, server.url)
  // As a replica that lags behind: it has what is here now, and becomes the master.
  await admin.call('SAVE')
  t.strictSame(await a.cache.delete('deleted'), { shared: true })
  t.strictSame(await a.cache.set('set', 'new', { ttl: '1h' }), { shared: true })
  t.strictSame(await a.cache.invalidateTags('tag'), { shared: true })
  await server.kill()
  await server.restart()
  const back = performance.now()
  await eventually(async () => await admin.exists(`${prefix}:cache:deleted`) === 1)
  await eventually(async () => !await b.cache.has('deleted') && await b.cache.get('set') !== 'old' && !await b.cache.has('tagged'), 10_000)
  t.comment(`told again ${Math.round(performance.now() - back)} ms after it was there`)
  t.equal(await b.cache.getOrSet('deleted', () => 'loaded'), 'loaded')
})

async function trustsRedis ({ cache }: Awaited<ReturnType<typeof buildApp>>): Promise<void> {
  await eventually(async () => (await cache.set('trusts Redis?', 1)).shared)
}

t.test('a connection that comes back to the same server tells nothing again', async (t) => {
  const server = await ownRedis(t)
  const client = await connect(t, server.url)
  const app = await buildApp(t, { redis: client })
  await trustsMemory(app)
  await app.cache.set('a', 1)
  await (await connect(t, server.url)).call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await eventually(() => client.status === 'ready')
  await new Promise((resolve) => { setTimeout(resolve, 2_500) })
  await trustsMemory(app)
  t.equal(await app.cache.get('a'), 1)
})
