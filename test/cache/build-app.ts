import type { EventEmitter } from 'node:events'
import fastify, { type FastifyInstance } from 'fastify'
import { Redis as Redis6, type Cluster as Cluster6, type RedisOptions } from 'ioredis'
import { Redis as Redis5, type Cluster as Cluster5 } from 'ioredis5'
import type { Test } from 'tap'
import cache, { type Cache, type CacheOptions, type RedisClient } from '../../plugins/cache/index.js'
import { withResolvers } from '../../plugins/shared/with-resolvers.js'
import { eventually } from '../helpers/eventually.js'
import { captureLog } from '../helpers/log-capture.js'
import type { UsedRedis } from '../helpers/redis.js'

export type AnyRedis = Redis6 | Redis5 | Cluster6 | Cluster5

export interface Clock {
  milliseconds: number
}

export interface Built {
  app: FastifyInstance
  cache: Cache
  clock: Clock
  /** What the app logged, as the bytes that were written. */
  log: () => string[]
}

/** Where Redis' slowness is not the subject, a busy machine must not look like a slow Redis. */
export const patient = { commandTimeout: '10s' }

/** An app with the plugin at its root, ready, whose clock starts at the wall clock's time and moves only when told to. */
export async function buildApp (t: Test, options: CacheOptions = {}): Promise<Built> {
  const clock = { milliseconds: Date.now() }
  const { stream, text } = captureLog()
  const app = fastify({ logger: { stream, level: 'warn' } }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(cache, { ...patient, now: () => clock.milliseconds, random: () => 0, ...options })
  await app.ready()
  return { app, cache: app.cache, clock, log: () => text().split('\n').filter(Boolean) }
}

let prefixes = 0

/** A prefix that no other test has. */
export function freshPrefix (base: string): string {
  return `${base}${++prefixes}`
}

/** A client of this test's own, ready. */
export async function connect (t: Test, url: string, options: RedisOptions = {}): Promise<Redis6> {
  return await ready(t, new Redis6(url, options as object))
}

/** The same with ioredis 5. */
export async function connect5 (t: Test, url: string): Promise<Redis5> {
  return await ready(t, new Redis5(url))
}

/** The client, which ends with the test, as soon as it is ready. */
export async function ready<Client extends AnyRedis> (t: Test, client: Client): Promise<Client> {
  // Of all of them; together they have no common type of listeners.
  const emitter: EventEmitter = client
  emitter.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  await eventually(() => client.status === 'ready')
  return client
}

/** Resolves when the cache of an app gives out memory again: its subscription stands, and it knows. */
export async function trustsMemory ({ cache }: { cache: Cache }): Promise<void> {
  await eventually(async () => {
    await cache.set('trusts memory?', 1, { ttl: '1m' })
    const before = cache.stats().memoryHits
    await cache.get('trusts memory?')
    return cache.stats().memoryHits > before
  })
}

/** Several apps over one Redis, as in processes of their own, each of which hears the others. */
export async function buildApps (t: Test, count: number, { url, prefix }: Pick<UsedRedis, 'url' | 'prefix'>, options: CacheOptions = {}): Promise<{ apps: Built[], prefix: string }> {
  const own = freshPrefix(prefix)
  const apps: Built[] = []
  for (let n = 0; n < count; n++) apps.push(await buildApp(t, { redis: await connect(t, url), prefix: own, ...options }))
  await Promise.all(apps.map(trustsMemory))
  return { apps, prefix: own }
}

/** Two of them. */
export async function buildTwo (t: Test, redis: Pick<UsedRedis, 'url' | 'prefix'>, options?: CacheOptions): Promise<{ a: Built, b: Built, prefix: string }> {
  const { apps: [a, b], prefix } = await buildApps(t, 2, redis, options)
  return { a: a!, b: b!, prefix }
}

/** Resolves when this many caches hear the channel of the prefix: until then, each counts what it read as unsafe to keep. */
export async function heard (asked: { call (command: string, ...args: string[]): Promise<unknown> }, prefix: string, by: number): Promise<void> {
  let times = 0
  await eventually(async () => {
    const reply = await asked.call('PUBSUB', 'NUMSUB', `${prefix}:cache`)
    // Asked twice, so that Redis' answer to the subscriber has arrived too.
    return Array.isArray(reply) && Number(reply[1]) >= by && ++times > 1
  })
}

/**
 * A client for one cache, and when that has heard itself: from then on it hears the others, and no gap comes between that
 * would have it forget what it has under way.
 */
export function overheard (client: AnyRedis): { client: RedisClient, heardItself: Promise<void> } {
  const { promise: heardItself, resolve } = withResolvers<void>()
  const said = new Set<string>()
  const listening = (target: AnyRedis): Partial<RedisClient> => ({
    publish: async (channel, message) => {
      said.add(message)
      return await target.publish(channel, message)
    },
    duplicate: (...options: unknown[]) => {
      const subscriber = (target as RedisClient).duplicate(...options)
      // The cache listens already: it is told first.
      setImmediate(() => { subscriber.on('message', (_channel, message: string) => { if (said.has(message)) resolve() }) })
      return subscriber
    }
  })
  // In Cluster both are of its nodes.
  const nodes = (role: 'master'): RedisClient[] => (client as Cluster6).nodes(role).map((node) => altered(node, listening(node)))
  return { heardItself, client: altered(client, { ...listening(client), nodes }) }
}

/** The client, with some of its methods replaced. */
export function altered (client: AnyRedis, changes: Partial<RedisClient>): RedisClient {
  return new Proxy(client, {
    get (target, name) {
      if (Object.hasOwn(changes, name)) return changes[name as keyof RedisClient]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}
