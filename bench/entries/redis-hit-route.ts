import type { FastifyInstance } from 'fastify'
import type { ServerEntry } from '../entry.js'
import { ownRedis } from '../redis.js'
import { KEYS, turningKeys, USER } from '../users.js'

const load = (): never => { throw new Error('Every key is in Redis') }

async function bare (): Promise<FastifyInstance> {
  const { default: Fastify } = await import('fastify')
  return Fastify()
}

const entry: ServerEntry = {
  kind: 'server',
  title: `GET / of one of ${KEYS.length} users that are in Redis, as JSON`,
  path: '/',
  baseline: 'GET and JSON.parse',
  variants: {
    'GET and JSON.parse': async () => {
      const app = await bare()
      const redis = await ownRedis()
      for (const key of KEYS) await redis.set(key, JSON.stringify(USER))
      const nextKey = turningKeys()
      app.get('/', async () => JSON.parse((await redis.get(nextKey()))!) as unknown)
      return app
    },
    headroom: async () => {
      const app = await bare()
      const { default: cache } = await import('fastify-headroom/cache')
      await app.register(cache, { redis: await ownRedis(), memory: false })
      for (const key of KEYS) await app.cache.set(key, USER, { ttl: '1d' })
      const nextKey = turningKeys()
      app.get('/', () => app.cache.getOrSet(nextKey(), load, { ttl: '1h' }))
      return app
    }
  },
  expectations: [{ variant: 'headroom', of: 'GET and JSON.parse', atLeast: 0.9 }]
}

export default entry
