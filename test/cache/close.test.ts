import { setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import t from 'tap'
import cache from '../../plugins/cache/index.js'
import { runApp } from '../helpers/app-process.js'
import { eventually } from '../helpers/eventually.js'
import { ownRedis, useRedis } from '../helpers/redis.js'
import { altered, buildApp, connect, freshPrefix, trustsMemory } from './build-app.js'
import { gate } from '../helpers/gate.js'
import { startProxy } from '../helpers/tcp-proxy.js'
import { watchTimers } from './timers.js'
import { fixture } from '../helpers/project.js'

const redis = await useRedis(t)

const handles = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'Timeout' || name === 'Immediate').sort().join()

t.test('a closed app leaves no connection and no timer', async (t) => {
  const timers = watchTimers(t)
  const client = await connect(t, redis.url)
  const before = handles()
  const app = fastify() as unknown as FastifyInstance
  // Commands that may take long, so that a timer for them would still be there.
  await app.register(cache, { redis: client, prefix: freshPrefix(redis.prefix), commandTimeout: '1m' })
  await app.ready()
  await trustsMemory(app)
  await app.close()
  await t.resolves(eventually(() => handles() === before), before)
  t.equal(await timers(), 0)
})

t.test('an app that closes before its subscription stands leaves no connection and no timer', async (t) => {
  const client = await connect(t, redis.url)
  const before = handles()
  for (let round = 0; round < 10; round++) {
    const app = fastify() as unknown as FastifyInstance
    await app.register(cache, { redis: client, prefix: freshPrefix(redis.prefix) })
    await app.close()
  }
  await t.resolves(eventually(() => handles() === before), before)
})

t.test('an app that closes just when its subscription is connected again closes in peace', async (t) => {
  const server = await ownRedis(t)
  const proxy = await startProxy(t, server.url)
  const client = await connect(t, proxy.url)
  const unhandled: unknown[] = []
  const listener = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', listener)
  t.teardown(() => process.off('unhandledRejection', listener))
  const subscribers: Redis[] = []
  const again = gate()
  const duplicate = (options: object): Redis => {
    const subscriber = client.duplicate(options)
    if (subscribers.push(subscriber) === 2) subscriber.once('ready', () => { proxy.swallow(); void again.pass() })
    return subscriber
  }
  const { app, cache: own } = await buildApp(t, { redis: altered(client, { duplicate }) })
  await trustsMemory({ cache: own })
  await (await connect(t, server.url)).call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await again.arrived()
  await app.close()
  const subscriber = subscribers.at(-1)!
  await eventually(() => subscriber.status === 'end')
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(unhandled, [])
})

t.test('a load that ends when the app has closed still has its value, and sends nothing behind the QUIT of the host\'s client', async (t) => {
  const client = await connect(t, redis.url)
  const sent: string[] = []
  const record = (name: 'eval' | 'mgetBuffer' | 'getBuffer') => async (...args: [any, ...any[]]): Promise<any> => {
    sent.push(name)
    return await (client[name] as (...args: any[]) => Promise<unknown>)(...args)
  }
  const { app, cache: own } = await buildApp(t, {
    redis: altered(client, { eval: record('eval'), mgetBuffer: record('mgetBuffer'), getBuffer: record('getBuffer') }), prefix: freshPrefix(redis.prefix)
  })
  const held = gate<string>()
  const value = own.getOrSet('a', held.pass)
  await held.arrived()
  await app.close()
  const before = sent.length
  t.ok(before > 0)
  held.open('value')
  t.equal(await value, 'value')
  t.strictSame(await own.delete('a'), { shared: false })
  t.equal(await own.getOrSet('a', () => 'loaded'), 'loaded')
  t.equal(sent.length, before)
})

t.test('the client of the host is left open, with no listener of ours', async (t) => {
  const client = await connect(t, redis.url)
  const before = client.eventNames().map((name) => client.listenerCount(name))
  const { app } = await buildApp(t, { redis: client, prefix: freshPrefix(redis.prefix) })
  await app.close()
  t.strictSame(client.eventNames().map((name) => client.listenerCount(name)), before)
  t.equal(await client.ping(), 'PONG')
})

t.test('an app closes while a load is under way, and who waits for it still gets it', async (t) => {
  const { app, cache: own } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix) })
  const held = gate<number>()
  const caller = own.getOrSet('a', held.pass)
  await held.arrived()
  await app.close()
  held.open(1)
  t.equal(await caller, 1)
})

t.test('a cache asked after its app has closed answers still', async (t) => {
  const { app, cache: own } = await buildApp(t, { redis: false })
  await app.close()
  t.equal(await own.getOrSet('a', () => 1), 1)
})

t.test('the process of a closed app ends, though a save never does', async (t) => {
  const running = await runApp(t, fixture('./fixtures/endless-save.ts', import.meta.url))
  await eventually(() => running.messages().length === 1)
  running.send({ please: 'close' })
  await eventually(() => running.messages().length === 2)
  t.strictSame(running.messages(), [{ said: 'saving' }, { said: 'closed' }])
  t.equal(await Promise.race([running.ended, delay(20_000, 'lives on', { ref: false })]), 0)
})
