import t, { type Test } from 'tap'
import type { Cache } from '../../plugins/cache/index.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { startProxy, type TcpProxy } from '../helpers/tcp-proxy.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'

// An own server: these tests stop it, and have it refuse commands.
const server = await ownRedis(t)
const outside = await connect(t, server.url)

interface Fault {
  title: string
  begin: (proxy: TcpProxy) => Promise<unknown>
  end: (proxy: TcpProxy) => Promise<unknown>
}

const faults: Fault[] = [
  {
    title: 'refuses scripts',
    begin: () => outside.call('ACL', 'SETUSER', 'default', '-eval'),
    end: () => outside.call('ACL', 'SETUSER', 'default', '+eval')
  },
  { title: 'is full', begin: () => outside.config('SET', 'maxmemory', '1'), end: () => outside.config('SET', 'maxmemory', '0') },
  { title: 'hangs', begin: () => server.pause(), end: () => server.resume() },
  {
    title: 'cannot be reached',
    begin: async (proxy) => {
      proxy.refuse()
      proxy.cutAll()
      await eventually(() => proxy.connections === 0)
    },
    end: (proxy) => proxy.accept()
  }
]

/** Two processes that have the old value, in memory and in Redis, of a source that has a new one; the loads of the first can be held. */
async function scene (t: Test) {
  const prefix = freshPrefix('app')
  const proxy = await startProxy(t, server.url)
  const here = await buildApp(t, { redis: await connect(t, proxy.url, { retryStrategy: () => 20 }), prefix, commandTimeout: 50 })
  const there = await buildApp(t, { redis: await connect(t, server.url), prefix, commandTimeout: 50 })
  await Promise.all([trustsMemory(here), trustsMemory(there)])
  const loads = gate()
  let source = 'old'
  const usersOf = (cache: Cache, pass = async (): Promise<void> => {}) => cache.resource('user', { ttl: '1h', load: async (_id: number) => { await pass(); return source } })
  const [users, others] = [usersOf(here.cache, loads.pass), usersOf(there.cache)]
  loads.letOne()
  t.strictSame([await users.get(1), await others.get(1)], ['old', 'old'])
  source = 'new'
  /** What a process that starts now has. */
  const atStart = async (): Promise<string> => {
    const { cache, app } = await buildApp(t, { redis: await connect(t, server.url), prefix })
    const value = await usersOf(cache).get(1)
    await app.close()
    return value
  }
  return { here, proxy, loads, users, others, atStart }
}

for (const { title, begin, end } of faults) {
  t.test(`where Redis ${title} when a refresh is to be kept, nothing older is given out, here or when it is back anywhere`, async (t) => {
    const { proxy, loads, users, others, atStart } = await scene(t)
    const refreshed = users.refresh(1)
    await loads.arrived(2)
    await begin(proxy)
    t.teardown(() => end(proxy))
    loads.open()
    t.equal(await refreshed, 'new')
    t.equal(await users.get(1), 'new')
    await end(proxy)
    t.equal(await users.get(1), 'new')
    await t.resolves(eventually(async () => await others.get(1) === 'new'))
    t.equal(await atStart(), 'new')
    t.equal(await users.get(1), 'new')
  })

  t.test(`where Redis ${title} when a refresh begins, and is back before it ends, nothing older is given out afterwards anywhere`, async (t) => {
    const { here, proxy, loads, users, others, atStart } = await scene(t)
    await begin(proxy)
    t.teardown(() => end(proxy))
    const refreshed = users.refresh(1)
    await loads.arrived(2)
    await end(proxy)
    await eventually(async () => (await here.cache.set('sign of life', 1)).shared)
    loads.open()
    t.equal(await refreshed, 'new')
    t.equal(await users.get(1), 'new')
    await t.resolves(eventually(async () => await others.get(1) === 'new'))
    t.equal(await atStart(), 'new')
  })
}

t.test('where another process has loaded meanwhile what Redis had lost, a refresh leaves neither that nor its own, and whoever asks loads', async (t) => {
  const prefix = freshPrefix('app')
  const here = await buildApp(t, { redis: outside, prefix })
  const there = await buildApp(t, { redis: await connect(t, server.url), prefix, memory: false })
  await trustsMemory(here)
  const loads = gate<string>()
  const users = here.cache.resource('user', { ttl: '1h', load: (_id: number) => loads.pass() })
  loads.letOne('old')
  await users.get(1)
  const refreshed = users.refresh(1)
  await loads.arrived(2)
  await outside.del(`${prefix}:cache:user:1`) // evicted
  t.equal(await there.cache.getOrSet('user:1', () => 'old', { ttl: '1h' }), 'old')
  loads.letOne('new')
  t.equal(await refreshed, 'new')
  t.equal(await here.cache.get('user:1'), undefined)
  t.equal(await there.cache.get('user:1'), undefined)
  loads.open('newest')
  t.equal(await users.get(1), 'newest')
  t.equal(await there.cache.get('user:1'), 'newest')
})

t.test('where another process has refreshed meanwhile, and this one has not heard of it, neither value is taken for the newer', async (t) => {
  const prefix = freshPrefix('app')
  const proxy = await startProxy(t, server.url)
  const deaf = await connect(t, proxy.url)
  const here = await buildApp(t, { redis: altered(outside, { duplicate: () => deaf.duplicate() }), prefix })
  const there = await buildApp(t, { redis: await connect(t, server.url), prefix })
  await Promise.all([trustsMemory(here), trustsMemory(there)])
  const loads = gate<string>()
  const users = here.cache.resource('user', { ttl: '1h', load: (_id: number) => loads.pass() })
  const others = there.cache.resource('user', { ttl: '1h', load: (_id: number) => 'theirs' })
  loads.letOne('old')
  await users.get(1)
  const refreshed = users.refresh(1)
  await loads.arrived(2)
  proxy.swallow('toClient')
  t.equal(await others.refresh(1), 'theirs')
  loads.letOne('mine')
  t.equal(await refreshed, 'mine')
  proxy.letThrough()
  t.equal(await here.cache.get('user:1'), undefined)
  await t.resolves(eventually(async () => !await there.cache.has('user:1')))
})
