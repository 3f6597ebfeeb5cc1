import Fastify, { type FastifyInstance } from 'fastify'
import cache, { type CacheOptions } from 'fastify-headroom/cache'
import writeBehind, { type WriteBehindPluginOptions } from 'fastify-headroom/write-behind'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { ownRedis, useRedis } from '../helpers/redis.js'

const redis = await useRedis(t)
let prefixes = 0

async function connect (t: Test, url: string): Promise<Redis> {
  const client = new Redis(url)
  client.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  await eventually(() => client.status === 'ready')
  return client
}

async function build (t: Test, { prefix = `${redis.prefix}${++prefixes}`, url = redis.url, cacheOptions = {}, queueOptions = {} }: { prefix?: string, url?: string, cacheOptions?: CacheOptions, queueOptions?: WriteBehindPluginOptions } = {}): Promise<FastifyInstance> {
  const app = Fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(cache, { redis: await connect(t, url), prefix, commandTimeout: '10s', ...cacheOptions })
  await app.register(writeBehind, { redis: await connect(t, url), prefix, lease: 300, commandTimeout: '10s', ...queueOptions })
  await app.ready()
  return app
}

interface Row { value: unknown, version: number }

function source () {
  const rows = new Map<string, Row>()
  const counts = { loads: 0 }
  return {
    rows,
    counts,
    load: (id: string) => { counts.loads++; return rows.get(id)?.value ?? null },
    save: (id: string, value: unknown, { version }: { version: number }) => { if (version > (rows.get(id)?.version ?? 0)) rows.set(id, { value, version }) }
  }
}

t.test('a value is given out before it is saved, by every process, and also when the cache has let go of it', async (t) => {
  const prefix = `${redis.prefix}${++prefixes}`
  const saves = gate()
  const { rows, counts, load, save } = source()
  const resources = await Promise.all([1, 2].map(async () => (await build(t, { prefix })).cache.resource('things', {
    load, write: 'behind', save: async (id, value, context) => { await saves.pass(); save(id, value, context) }, queue: { delay: 0 }
  })))
  const [a, b] = resources as [typeof resources[number], typeof resources[number]]
  t.equal(await b.get('id'), null)
  await a.set('id', 'new')
  await saves.arrived()
  for (const resource of [a, b]) {
    t.equal(await resource.get('id'), 'new')
    await resource.delete('id')
    t.equal(await resource.get('id'), 'new', 'as it waits')
    await resource.delete('id')
    t.strictSame(await resource.getMany(['id', 'other']), ['new', null])
  }
  t.equal(await a.refresh('id'), 'new')
  t.equal(rows.size, 0)
  const before = counts.loads
  saves.open()
  await eventually(() => rows.has('id'))
  await eventually(async () => {
    await a.delete('id')
    await a.get('id')
    return counts.loads > before
  })
  t.equal(await a.get('id'), 'new')
})

t.test('a bulk load is asked only for what does not wait', async (t) => {
  const saves = gate()
  const app = await build(t)
  const asked: string[][] = []
  const things = app.cache.resource<string | null>('things', {
    load: () => null,
    loadMany: (ids) => { asked.push(ids as string[]); return new Map(ids.map((id) => [id, `loaded ${id}`])) },
    write: 'behind',
    save: saves.pass
  })
  await things.set('b', 'waits')
  await things.delete('b')
  t.strictSame(await things.getMany(['a', 'b', 'c']), ['loaded a', 'waits', 'loaded c'])
  t.strictSame(asked, [['a', 'c']])
  await things.delete('b')
  t.strictSame(await things.getMany(['b']), ['waits'])
  t.equal(asked.length, 1)
  saves.open()
})

t.test('of what could not be saved the cache forgets the value, and the source has what is given out', async (t) => {
  const app = await build(t)
  const dead: unknown[] = []
  const things = app.cache.resource<string, string>('things', {
    load: () => 'as it was',
    write: 'behind',
    save: () => { throw new Error('violates a constraint') },
    queue: { attempts: 2, delay: 0, retry: { first: 1, longest: 1 }, onDead: ({ id, value }) => { dead.push({ id, value }) } }
  })
  await things.set('id', 'poison')
  await eventually(() => dead.length > 0)
  t.strictSame(dead, [{ id: 'id', value: 'poison' }])
  t.equal(await things.get('id'), 'as it was')
})

t.test('where the queue cannot be asked the source is, and nothing of that is kept', async (t) => {
  const server = await ownRedis(t)
  const app = await build(t, { cacheOptions: { redis: await connect(t, redis.url) }, url: server.url, queueOptions: { commandTimeout: 50, drainTimeout: 0 } })
  let loads = 0
  const things = app.cache.resource('things', { load: (_id: string) => ++loads, write: 'behind', save: () => {} })
  await server.pause()
  t.equal(await things.get('id'), 1)
  t.equal(await things.get('id'), 2)
  await t.rejects(things.set('id', 7), { code: 'FST_HEADROOM_WRITE_BEHIND_UNAVAILABLE', statusCode: 503 })
  await server.resume()
  await eventually(async () => {
    const first = await things.get('id')
    return first === await things.get('id')
  })
})

t.test('what is missing or wrong stops the boot', async (t) => {
  const app = Fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(cache, { redis: false })
  t.throws(() => app.cache.resource('things', { load: () => 1, write: 'behind', save: () => {} }), { code: 'FST_HEADROOM_CACHE_OPTION', message: /app\.writeBehind/ })
  const whole = await build(t)
  t.throws(() => whole.cache.resource('things', { load: () => 1, write: 'behind' } as never), { code: 'FST_HEADROOM_CACHE_OPTION' })
  t.throws(() => whole.cache.resource('things', { load: () => 1, write: 'through', save: () => {}, queue: {} } as never), { code: 'FST_HEADROOM_CACHE_OPTION', message: /queue/ })
  t.throws(() => whole.cache.resource('things', { load: () => 1, write: 'behind', save: () => {}, queue: { dellay: 1 } as never }), { code: 'FST_HEADROOM_WRITE_BEHIND_OPTION', message: /did you mean "delay"/ })
})
