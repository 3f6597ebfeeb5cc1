import { subscribe } from 'node:diagnostics_channel'
import fastifyRedis from '@fastify/redis'
import fastify, { type FastifyInstance } from 'fastify'
import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import writeBehind, { type WriteBehindOptions, type WriteBehindPluginOptions } from '../../plugins/write-behind/index.js'
import { connect, freshPrefix, ready } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { useCluster, useRedis } from '../helpers/redis.js'
import { buildApp, fencedSource } from './build-app.js'

const redis = await useRedis(t)

function bare (t: Test): FastifyInstance {
  const app = fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  return app
}

t.test('a wrong option stops the boot and says where, what was expected and what came', async (t) => {
  const client = await connect(t, redis.url)
  const mistakes: Array<[options: object, message: RegExp]> = [
    [{ redis: client, leese: 5 }, /options\.leese: expected one of the keys .*did you mean "lease"/],
    [{ redis: 'redis://localhost' }, /options\.redis: expected an ioredis client/],
    [{ redis: false }, /options\.redis/],
    [{}, /options\.redis: expected an ioredis client, or @fastify\/redis registered before/],
    [{ redis: client, durable: 'yes' }, /options\.durable: expected true or false, got "yes"/],
    [{ redis: client, prefix: 'a:b' }, /options\.prefix/],
    [{ redis: client, lease: 5 }, /options\.lease: expected a duration of 100 ms or more/],
    [{ redis: client, drainTimeout: -1 }, /options\.drainTimeout/],
    [{ redis: new Redis({ lazyConnect: true, sentinels: [{ port: 1 }], name: 'main', role: 'slave' }) }, /options\.redis: expected a client that reads from masters/]
  ]
  for (const [options, message] of mistakes) {
    await t.rejects(async () => { await bare(t).register(writeBehind, options as WriteBehindPluginOptions) }, { code: 'FST_HEADROOM_WRITE_BEHIND_OPTION', message })
  }
})

t.test('so does a wrong option of a queue', async (t) => {
  const { app } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix) })
  const save = (): void => {}
  const mistakes: Array<[name: unknown, options: object, message: RegExp]> = [
    ['a', {}, /writeBehind "a"\.save: expected a function/],
    ['a', { save: 5 }, /writeBehind "a"\.save: expected a function.*, got 5/],
    ['a', { save, atempts: 5 }, /did you mean "attempts"/],
    ['a', { save, retry: { frist: 1 } }, /writeBehind "a"\.retry\.frist: .*did you mean "first"/],
    ['a', { save, limit: 3 }, /writeBehind "a"\.limit: expected a number from 16/],
    ['a', { save, batch: 0 }, /writeBehind "a"\.batch/],
    ['a', { save, delay: '5' }, /writeBehind "a"\.delay/],
    ['a:b', { save }, /expected a name without spaces, braces and colons, got "a:b"/],
    ['', { save }, /expected a name/],
    [7, { save }, /expected a name/]
  ]
  for (const [name, options, message] of mistakes) {
    t.throws(() => app.writeBehind(name as string, options as WriteBehindOptions), { code: 'FST_HEADROOM_WRITE_BEHIND_OPTION', message })
  }
  t.doesNotThrow(() => app.writeBehind('a', { save }), 'and none of them has taken the name')
})

t.test('it takes the client of @fastify/redis, and another name', async (t) => {
  const app = bare(t)
  await app.register(fastifyRedis, { url: redis.url })
  await app.register(writeBehind, { prefix: freshPrefix(redis.prefix), decorateAs: 'later' })
  await app.ready()
  const { rows, options } = fencedSource()
  const queue = (app as unknown as { later: FastifyInstance['writeBehind'] }).later('things', { ...options, delay: 0 })
  await queue.set('id', 1)
  await eventually(() => rows.has('id'))
})

t.test('a queue that is made before the app is ready saves when it is', async (t) => {
  const app = bare(t)
  await app.register(writeBehind, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix) })
  const { rows, options } = fencedSource()
  const queue = app.writeBehind('things', { ...options, delay: 0 })
  await queue.set('id', 1)
  t.equal(rows.size, 0)
  await app.ready()
  await eventually(() => rows.has('id'))
})

t.test('it works over a Cluster', async (t) => {
  const client = await ready(t, new Cluster(await useCluster(t)))
  const { app } = await buildApp(t, { redis: client, prefix: freshPrefix(redis.prefix) })
  const { rows, options } = fencedSource()
  const queue = app.writeBehind('things', { ...options, delay: 0 })
  await Promise.all(Array.from({ length: 500 }, (_, id) => queue.set(id, id)))
  t.equal((await queue.pendingMany([1, 2, 'none'])).length, 3)
  await eventually(async () => (await queue.stats()).depth === 0)
  t.equal(rows.size, 500)
})

t.test('each channel says what happened', async (t) => {
  const said = new Map<string, unknown[]>()
  for (const event of ['saved', 'retry', 'dead-letter', 'depth', 'source-away', 'direct', 'refused']) {
    subscribe(`headroom:write-behind:${event}`, (payload) => { said.set(event, [...said.get(event) ?? [], payload]) })
  }
  const { app } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix) })
  let isAway = false
  const queue = app.writeBehind('channels', {
    delay: 0,
    attempts: 2,
    retry: { first: 1, longest: 1 },
    save: (id) => {
      if (isAway) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
      if (id === 'poison') throw new Error('poison')
    }
  })
  await queue.set('id', 1)
  await queue.set('poison', 1)
  await eventually(() => said.has('dead-letter') && said.has('depth') && said.has('saved'))
  isAway = true
  await queue.set('id', 2)
  await eventually(() => said.has('source-away'))
  await eventually(() => (said.get('depth') as Array<{ depth: number }>).some(({ depth }) => depth === 1))
  isAway = false
  await eventually(async () => (await queue.stats()).depth === 0)
  t.match(said.get('saved')![0], { queue: 'channels', writes: 1, elapsed: Number })
  t.match(said.get('retry')![0], { queue: 'channels', id: 'poison', version: Number, tries: 1, error: { message: 'poison' } })
  t.match(said.get('dead-letter')![0], { queue: 'channels', id: 'poison', version: Number, tries: 2, error: { message: 'poison' } })
  t.match(said.get('depth')![0], { queue: 'channels', depth: Number, lag: Number, deadLetters: Number })
  t.match(said.get('source-away')![0], { queue: 'channels', error: { code: 'ECONNREFUSED' }, pause: Number })
  await app.close()
  await t.rejects(queue.set('id', 3))
  t.match(said.get('refused')![0], { queue: 'channels', error: { code: 'FST_HEADROOM_WRITE_BEHIND_CLOSING' } })
})
