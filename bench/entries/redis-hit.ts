import type { FastifyInstance } from 'fastify'
import type { MicroEntry, Operation } from '../entry.js'
import { ownRedis } from '../redis.js'
import { KEYS, turningKeys, USER } from '../users.js'

/** As a server asks: many requests are on their way at once. */
const AT_ONCE = 64

async function hits (look: (key: string) => Promise<unknown>): Promise<Operation> {
  const nextKey = turningKeys()
  return () => Promise.all(Array.from({ length: AT_ONCE }, () => look(nextKey())))
}

async function bare (): Promise<(key: string) => Promise<unknown>> {
  const redis = await ownRedis()
  for (const key of KEYS) await redis.set(key, JSON.stringify(USER))
  return async (key) => JSON.parse((await redis.get(key))!)
}

const load = (): never => { throw new Error('Every key is in Redis') }

async function headroom (): Promise<(key: string) => Promise<unknown>> {
  const { default: Fastify } = await import('fastify')
  const { default: cache } = await import('fastify-headroom/cache')
  const app: FastifyInstance = Fastify()
  await app.register(cache, { redis: await ownRedis(), memory: false })
  for (const key of KEYS) await app.cache.set(key, USER, { ttl: '1d' })
  return (key) => app.cache.getOrSet(key, load, { ttl: '1h' })
}

const entry: MicroEntry = {
  kind: 'micro',
  title: `${AT_ONCE} users at once, of ${KEYS.length} that are in Redis`,
  baseline: 'GET and JSON.parse',
  variants: {
    'GET and JSON.parse': async () => await hits(await bare()),
    headroom: async () => await hits(await headroom()),
    'GET and JSON.parse, one after the other': async () => await oneAfterTheOther(await bare()),
    'headroom, one after the other': async () => await oneAfterTheOther(await headroom())
  },
  expectations: [
    { variant: 'headroom', of: 'GET and JSON.parse', atLeast: 0.9 },
    { variant: 'headroom, one after the other', of: 'GET and JSON.parse, one after the other', atLeast: 0.9 }
  ]
}

/** As many as the others, so that the figures can be compared. */
async function oneAfterTheOther (look: (key: string) => Promise<unknown>): Promise<Operation> {
  const nextKey = turningKeys()
  return async () => { for (let n = 0; n < AT_ONCE; n++) await look(nextKey()) }
}

export default entry
