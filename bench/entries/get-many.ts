import type { FastifyInstance } from 'fastify'
import type { MicroEntry, Operation } from '../entry.js'
import { ownRedis } from '../redis.js'
import { KEYS, USER } from '../users.js'

const COUNT = 100

const load = (): never => { throw new Error('Every key is in Redis') }

function turningBatches (): () => readonly string[] {
  let turn = 0
  const batches = Array.from({ length: Math.floor(KEYS.length / COUNT) }, (_, n) => KEYS.slice(n * COUNT, (n + 1) * COUNT))
  return () => batches[turn++ % batches.length]!
}

async function build (): Promise<{ app: FastifyInstance, nextKeys: () => readonly string[] }> {
  const { default: Fastify } = await import('fastify')
  const { default: cache } = await import('fastify-headroom/cache')
  const app: FastifyInstance = Fastify()
  await app.register(cache, { redis: await ownRedis(), memory: false })
  for (const key of KEYS) await app.cache.set(key, USER, { ttl: '1d' })
  return { app, nextKeys: turningBatches() }
}

const entry: MicroEntry = {
  kind: 'micro',
  title: `${COUNT} users of ${KEYS.length} that are in Redis`,
  baseline: `${COUNT} getOrSet, one after the other`,
  variants: {
    [`${COUNT} getOrSet, one after the other`]: async (): Promise<Operation> => {
      const { app, nextKeys } = await build()
      return async () => { for (const key of nextKeys()) await app.cache.getOrSet(key, load) }
    },
    [`${COUNT} getOrSet at once`]: async () => {
      const { app, nextKeys } = await build()
      return () => Promise.all(nextKeys().map((key) => app.cache.getOrSet(key, load)))
    },
    getMany: async () => {
      const { app, nextKeys } = await build()
      return () => app.cache.getMany(nextKeys(), { key: (id) => id, load })
    },
    'MGET and JSON.parse': async () => {
      const redis = await ownRedis()
      for (const key of KEYS) await redis.set(key, JSON.stringify(USER))
      const nextKeys = turningBatches()
      return async () => (await redis.mget(...nextKeys())).map((text) => JSON.parse(text!) as unknown)
    }
  },
  expectations: [
    { variant: 'getMany', of: `${COUNT} getOrSet, one after the other`, atLeast: 5 }
  ]
}

export default entry
