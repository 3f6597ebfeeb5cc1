import { Redis } from 'ioredis'
import { startRedisServer } from '../services/redis-server.js'

/** A client of a real Redis of the variant's own, which ends with its process. */
export async function ownRedis (): Promise<Redis> {
  const { url } = await startRedisServer()
  const client = new Redis(url)
  await client.ping()
  return client
}
