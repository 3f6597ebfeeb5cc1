import fastify, { type FastifyInstance } from 'fastify'
import fastifyRedis from '@fastify/redis'
import type { Test } from 'tap'
import cache, { type CacheOptions } from '../../plugins/cache/index.js'
import { buildApp, connect, connect5, freshPrefix, heard, patient, trustsMemory, type Built } from './build-app.js'
import type { UsedRedis } from '../helpers/redis.js'

export interface Store {
  name: string
  memory: boolean
  redis: boolean
  build (t: Test, options?: CacheOptions): Promise<Built>
}

/** Every combination of tiers and clients, all of which make the same promises. */
export function stores ({ url, prefix }: UsedRedis): Store[] {
  const redisOnly = { memory: false } as const
  return [
    { name: 'memory only', memory: true, redis: false, build: (t, options) => buildApp(t, { redis: false, ...options }) },
    ...[{ name: 'ioredis 6', client: connect }, { name: 'ioredis 5', client: connect5 }].flatMap(({ name, client }): Store[] => [
      {
        name: `Redis only, ${name}`,
        memory: false,
        redis: true,
        async build (t, options) {
          const redis = await client(t, url)
          const own = freshPrefix(prefix)
          const built = await buildApp(t, { redis, prefix: own, ...redisOnly, ...options })
          await heard(redis, options?.prefix ?? own, 1)
          return built
        }
      },
      {
        name: `two tiers, ${name}`,
        memory: true,
        redis: true,
        async build (t, options) {
          const built = await buildApp(t, { redis: await client(t, url), prefix: freshPrefix(prefix), ...options })
          await trustsMemory(built)
          return built
        }
      }
    ]),
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
        await trustsMemory(built)
        return built
      }
    }
  ]
}
