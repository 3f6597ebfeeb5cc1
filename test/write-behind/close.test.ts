import t from 'tap'
import { connect, freshPrefix } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, fencedSource } from './build-app.js'

const redis = await useRedis(t)

t.test('before the app has closed, what waits is saved, also what waits for others of its id', async (t) => {
  const { rows, options } = fencedSource()
  const { app } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix) })
  const queue = app.writeBehind('things', { ...options, delay: '1m' })
  await Promise.all(Array.from({ length: 1_000 }, (_, id) => queue.set(id, id)))
  await eventually(async () => (await queue.stats()).shards === 16)
  t.equal(rows.size, 0)
  await app.close()
  t.equal(rows.size, 1_000)
  await t.rejects(queue.set('late', 1), { code: 'FST_HEADROOM_WRITE_BEHIND_CLOSING', statusCode: 503 })
})

t.test('what cannot be saved by the deadline is saved after the next start', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const saves = gate()
  const aborted: unknown[] = []
  const first = await buildApp(t, { redis: await connect(t, redis.url), prefix, drainTimeout: 50 })
  const queue = first.app.writeBehind('things', {
    delay: 0,
    save: async (_id, _value, { signal }) => {
      signal.addEventListener('abort', () => { aborted.push(signal.reason) })
      await saves.pass()
    }
  })
  await Promise.all(Array.from({ length: 100 }, (_, id) => queue.set(id, id)))
  await saves.arrived()
  const began = performance.now()
  await first.app.close()
  t.ok(performance.now() - began < 1_000, 'however long a save takes')
  t.ok(aborted.length > 0, 'and is told')
  const { rows, options } = fencedSource()
  const { app } = await buildApp(t, { redis: await connect(t, redis.url), prefix })
  const next = app.writeBehind('things', { ...options, delay: 0 })
  await eventually(async () => (await next.stats()).depth === 0)
  t.equal(rows.size, 100)
  saves.open()
})

t.test('who waits for room when the app closes is refused', async (t) => {
  const saves = gate()
  const { app } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix), drainTimeout: 50 })
  const queue = app.writeBehind('things', { save: saves.pass, limit: 16, fullTimeout: '1m' })
  const ids = Array.from({ length: 100 }, (_, id) => id)
  const outcomes = Promise.allSettled(ids.map((id) => queue.set(id, id)))
  await saves.arrived(4)
  await app.close()
  const refused = (await outcomes).filter((one) => one.status === 'rejected')
  t.ok(refused.length > 0)
  t.ok(refused.every(({ reason }) => (reason as { code: string }).code === 'FST_HEADROOM_WRITE_BEHIND_CLOSING'))
  saves.open()
})

t.test('another process goes on with the shards of one that closes, at once', async (t) => {
  const prefix = freshPrefix(redis.prefix)
  const { rows, options } = fencedSource()
  const one = async () => {
    const { app } = await buildApp(t, { redis: await connect(t, redis.url), prefix, lease: '3s' })
    return { app, queue: app.writeBehind('things', { ...options, delay: 0 }) }
  }
  const [a, b] = [await one(), await one()]
  await eventually(async () => (await a.queue.stats()).shards === 8 && (await b.queue.stats()).shards === 8)
  await a.app.close()
  await Promise.all(Array.from({ length: 200 }, (_, id) => b.queue.set(id, id)))
  const began = performance.now()
  await eventually(() => rows.size === 200)
  t.ok(performance.now() - began < 2_000, 'not after the lease')
})

t.test('nothing is left that keeps the process alive, or listens to the client', async (t) => {
  const client = await connect(t, redis.url)
  const before = client.listenerCount('ready') + client.listenerCount('close')
  const prefix = freshPrefix(redis.prefix)
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const { app } = await buildApp(t, { redis: client, prefix })
  const queue = app.writeBehind('things', { save: () => {} })
  await queue.set('id', 1)
  await eventually(async () => (await client.call('PUBSUB', 'NUMSUB', `${prefix}:write-behind`) as unknown[])[1] === 1)
  await app.close()
  t.equal(client.listenerCount('ready') + client.listenerCount('close'), before)
  await eventually(async () => (await client.call('PUBSUB', 'NUMSUB', `${prefix}:write-behind`) as unknown[])[1] === 0)
  t.strictSame(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length, timers)
})

t.test('what waits is saved before what `save` uses is closed, also where that was registered later', async (t) => {
  const { app } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix) }, async (app) => {
    let isOpen = true
    app.addHook('onClose', async () => { isOpen = false })
    app.decorate('database' as string, { get isOpen () { return isOpen } })
  })
  const saved: unknown[] = []
  const queue = app.writeBehind('things', {
    delay: '1m',
    save: (id) => {
      if (!(app as unknown as { database: { isOpen: boolean } }).database.isOpen) throw new Error('Cannot use a pool after calling end on the pool')
      saved.push(id)
    }
  })
  await queue.set('id', 1)
  await eventually(async () => (await queue.stats()).shards === 16)
  await app.close()
  t.strictSame(saved, ['id'])
})
