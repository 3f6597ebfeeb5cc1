import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, heard, trustsMemory, type Built } from './build-app.js'

// Servers of its own: these tests stop and restart them.
const server = await ownRedis(t)
const NEWS = { tags: ['news'] }

/** What is in Redis, as an app sees it that remembers nothing. */
async function inRedis (t: Test, url: string, prefix: string, key: string): Promise<unknown> {
  const client = await connect(t, url)
  const { app, cache } = await buildApp(t, { redis: client, prefix, memory: false })
  await heard(client, prefix, 1)
  const value = await cache.get(key)
  await app.close()
  client.disconnect()
  return value
}

for (const what of ['a tag', 'everything'] as const) {
  const invalidate = ({ cache }: Built): Promise<{ shared: boolean }> => what === 'a tag' ? cache.invalidateTags('news') : cache.clear()
  const tagKey = what === 'a tag' ? 'news' : '%00everything'

  t.test(`${what} invalidated while the client was not connected is void here meanwhile, and for everybody once it is back`, async (t) => {
    const prefix = freshPrefix('app')
    const client = await connect(t, server.url)
    const app = await buildApp(t, { redis: client, prefix })
    await trustsMemory(app)
    await app.cache.set('key', 'old', NEWS)
    client.disconnect()
    await eventually(() => client.status === 'end')
    t.equal(await app.cache.get('key'), 'old', 'memory serves meanwhile')
    t.strictSame(await invalidate(app), { shared: false })
    t.equal(await app.cache.get('key'), undefined)
    await client.connect()
    await eventually(() => client.status === 'ready')
    t.equal(await app.cache.get('key'), undefined, 'though Redis may not have been told yet')
    t.equal(await app.cache.getOrSet('key', () => 'new', NEWS), 'new')
    // Until it is known that the same Redis answers, and memory has been forgotten, what is loaded is kept for nobody.
    await trustsMemory(app)
    await t.resolves(eventually(async () => ['new', undefined].includes(await inRedis(t, server.url, prefix, 'key') as string | undefined)))
    // Told twice, by who asks and in the background, it is void twice.
    await t.resolves(eventually(async () => {
      t.equal(await app.cache.getOrSet('key', () => 'new', NEWS), 'new')
      return await app.cache.get('key') === 'new'
    }))
  })

  t.test(`${what} invalidated while Redis hung is void here meanwhile, and for everybody once it answers again`, async (t) => {
    const own = await ownRedis(t)
    const prefix = freshPrefix('app')
    const app = await buildApp(t, { redis: await connect(t, own.url), prefix, commandTimeout: 50 })
    const other = await buildApp(t, { redis: await connect(t, own.url), prefix, commandTimeout: 50 })
    await Promise.all([trustsMemory(app), trustsMemory(other)])
    await app.cache.set('key', 'old', NEWS)
    t.equal(await other.cache.get('key'), 'old')
    await own.pause()
    t.teardown(() => own.resume())
    t.strictSame(await invalidate(app), { shared: false })
    t.equal(await app.cache.get('key'), undefined)
    t.equal(await app.cache.getOrSet('key', () => 'meanwhile', NEWS), 'meanwhile')
    await own.resume()
    await t.resolves(eventually(async () => await other.cache.get('key') !== 'old'))
    t.not(await inRedis(t, own.url, prefix, 'key'), 'old')
    t.not(await app.cache.get('key'), 'old')
  })

  t.test(`an answer of Redis from before it was told that ${what} is void is not believed afterwards`, async (t) => {
    const prefix = freshPrefix('app')
    const client = await connect(t, server.url)
    const outside = await connect(t, server.url)
    const [answered, reply] = [gate(), gate()]
    let holds = false
    const late = async <T>(answer: Promise<T>, keys: string[]): Promise<T> => {
      const value = await answer
      if (holds && keys.includes(`${prefix}:cache-tag:${tagKey}`)) {
        answered.open()
        await reply.pass()
      }
      return value
    }
    const app = await buildApp(t, {
      prefix,
      redis: altered(client, {
        getBuffer: (key) => late(client.getBuffer(key), [key]),
        mgetBuffer: (...keys) => late(client.mgetBuffer(...keys), keys)
      })
    })
    await trustsMemory(app)
    await app.cache.set('key', 'old', NEWS)
    client.disconnect()
    await eventually(() => client.status === 'end')
    await invalidate(app)
    await client.connect()
    await eventually(() => client.status === 'ready')
    holds = true
    const reader = app.cache.get('key')
    await Promise.race([answered.pass(), reader])
    holds = false
    await eventually(async () => await outside.exists(`${prefix}:cache-tag:${tagKey}`) === 0)
    // Once another command comes back, whatever was to be done when Redis had been told is done.
    t.strictSame(await app.cache.delete('other'), { shared: true })
    reply.open()
    t.equal(await reader, undefined)
    t.equal(await app.cache.get('key'), undefined)
  })
}

t.test('after Redis was restarted empty nothing old is given out, and what is kept anew is', async (t) => {
  const own = await ownRedis(t)
  const prefix = freshPrefix('app')
  const apps = [await buildApp(t, { redis: await connect(t, own.url), prefix }), await buildApp(t, { redis: await connect(t, own.url), prefix })] as const
  await Promise.all(apps.map(trustsMemory))
  await apps[0].cache.set('key', 'old', NEWS)
  t.equal(await apps[1].cache.get('key'), 'old')
  await own.restart({ empty: true })
  for (const app of apps) {
    await eventually(async () => (await app.cache.set('is back?', 1)).shared)
    await trustsMemory(app)
  }
  for (const { cache } of apps) t.equal(await cache.get('key'), undefined)
  t.equal(await apps[0].cache.getOrSet('key', () => 'new', NEWS), 'new')
  t.equal(await apps[1].cache.get('key'), 'new')
  t.strictSame(await apps[1].cache.invalidateTags('news'), { shared: true })
  t.equal(await apps[1].cache.get('key'), undefined)
  await t.resolves(eventually(async () => !await apps[0].cache.has('key'), 50))
})

for (const evicted of ['news', '%00everything', '%00any']) {
  t.test(`where Redis has evicted what it knew of a tag, nothing invalidated comes back, and all is kept again: ${evicted}`, async (t) => {
    const prefix = freshPrefix('app')
    const client = await connect(t, server.url)
    const [a, b] = [await buildApp(t, { redis: client, prefix }), await buildApp(t, { redis: await connect(t, server.url), prefix })]
    await Promise.all([trustsMemory(a), trustsMemory(b)])
    const evict = async (): Promise<void> => { t.equal(await client.del(`${prefix}:cache-tag:${evicted}`), 1) }
    await a.cache.getOrSet('key', () => 'old', NEWS)
    await evict()
    await b.cache.invalidateTags('news')
    await t.resolves(eventually(async () => !await a.cache.has('key'), 50))
    t.equal(await b.cache.has('key'), false)

    await a.cache.getOrSet('key', () => 'old', NEWS)
    await b.cache.get('key')
    await client.set(`${prefix}:cache-tag:${evicted}`, 'x') // whatever stands there by mistake is no generation
    await evict()
    await b.cache.clear()
    await t.resolves(eventually(async () => !await a.cache.has('key'), 50))
    t.equal(await inRedis(t, server.url, prefix, 'key'), undefined)

    await eventually(async () => {
      await a.cache.getOrSet('key', ({ tags }) => { tags('late'); return 'new' }, NEWS)
      return await inRedis(t, server.url, prefix, 'key') === 'new'
    })
    t.equal(await b.cache.get('key'), 'new')
  })
}
