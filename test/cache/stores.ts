import fastify, { type FastifyInstance } from 'fastify'
import fastifyRedis from '@fastify/redis'
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import root, { type Test } from 'tap'
import cache, { type CacheOptions } from '../../plugins/cache/index.js'
import { buildApp, connect, connect5, freshPrefix, overheard, patient, ready, trustsMemory, type AnyRedis, type Built } from './build-app.js'
import { useCluster, useSentinel, type UsedRedis } from '../helpers/redis.js'

export interface Store {
  name: string
  memory: boolean
  redis: boolean
  /** Apps with the same prefix are processes of one app: they share what is in Redis. */
  build (t: Test, options?: CacheOptions): Promise<Built>
}

/** Every combination of tiers, clients and ways in which Redis is run, all of which make the same promises. */
export function stores ({ url, prefix }: UsedRedis): Store[] {
  // Where they are this file's own, they start while the first of the stores are tested: a Cluster takes its time, most of which it waits.
  const cluster = meanwhile(() => useCluster(root))
  const sentinel = meanwhile(() => useSentinel(root))

  function shared (name: string, tiers: 'Redis only' | 'two tiers', connected: (t: Test) => Promise<AnyRedis>): Store {
    const memory = tiers === 'two tiers'
    return {
      name: `${tiers}, ${name}`,
      memory,
      redis: true,
      async build (t, options) {
        const { client, heardItself } = overheard(await connected(t))
        const built = await buildApp(t, { redis: client, prefix: freshPrefix(prefix), ...(memory ? {} : { memory }), ...options })
        await heardItself
        return built
      }
    }
  }

  return [
    { name: 'memory only', memory: true, redis: false, build: (t, options) => buildApp(t, { redis: false, ...options }) },
    shared('ioredis 6', 'Redis only', (t) => connect(t, url)),
    shared('ioredis 6', 'two tiers', (t) => connect(t, url)),
    shared('ioredis 5', 'two tiers', (t) => connect5(t, url)),
    {
      name: 'two tiers, @fastify/redis of the host',
      memory: true,
      redis: true,
      async build (t, options) {
        const clock = { milliseconds: Date.now() }
        const app = fastify() as unknown as FastifyInstance
        t.teardown(() => app.close())
        await app.register(fastifyRedis, { url })
        await app.register(cache, { ...patient, prefix: freshPrefix(prefix), now: () => clock.milliseconds, random: () => 0, ...options })
        await app.ready()
        const built = { app, cache: app.cache, clock, log: () => [] }
        if (options?.memory !== false) await trustsMemory(built)
        return built
      }
    },
    shared('Sentinel, ioredis 6', 'two tiers', async (t) => await ready(t, new Redis6(await sentinel))),
    shared('Cluster, ioredis 5', 'Redis only', async (t) => await ready(t, new Cluster5(await cluster))),
    shared('Cluster, ioredis 6', 'two tiers', async (t) => await ready(t, new Cluster6(await cluster)))
  ]
}

/** Whoever waits for it is told where it fails; a test of none of its stores has no use for it. */
function meanwhile<Started> (start: () => Promise<Started>): Promise<Started> {
  const starting = start()
  const settled = starting.then(() => {}, () => {})
  // A file must not end before what it started has: only then is it known how to end that.
  root.teardown(() => settled)
  return starting
}
