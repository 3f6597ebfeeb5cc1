import { Redis } from 'ioredis'
import { startRedisServer } from '../services/redis-server.js'

/**
 * A client of a real Redis of the variant's own, which ends with its process.
 *
 * @param persist whether it keeps an append-only file, synced every second
 */
export async function ownRedis ({ persist = false } = {}): Promise<Redis> {
  const { url } = await startRedisServer({ persist, args: ['--appendfsync', 'everysec'] })
  const client = new Redis(url)
  await client.ping()
  return client
}
