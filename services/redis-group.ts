import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findRedis } from './redis-binaries.js'
import { type RedisServer, type RedisServerOptions, startRedisServer } from './redis-server.js'

const patience = 20_000

export interface RedisGroupOptions {
  /** Whether data survive `kill` and `restart`. Default: false. */
  persist?: boolean
  /** Told one line when redis-server has to be fetched first. */
  onProgress?: (line: string) => void
}

/** Where a server listens. */
export interface Address {
  host: string
  port: number
}

export function addressOf ({ host, port }: Address): Address {
  return { host, port }
}

/** Starts servers side by side: all of them, or none when one does not start. */
export async function startTogether (many: RedisServerOptions[], onProgress?: (line: string) => void): Promise<RedisServer[]> {
  // Once, not by each of them.
  await findRedis(onProgress)
  const starts = await Promise.allSettled(many.map((options) => startRedisServer(options)))
  const servers = starts.flatMap((start) => start.status === 'fulfilled' ? [start.value] : [])
  return await orStop(servers, async () => {
    for (const start of starts) if (start.status === 'rejected') throw start.reason
    return servers
  })
}

/** What the work returns; the servers end when it fails. */
export async function orStop<T> (servers: RedisServer[], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await stopAll(servers)
    throw error
  }
}

export async function stopAll (servers: RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()))
}

/** One command on a connection of its own; rejects when the server is away, or frozen and silent for a second. */
export async function command (server: Address, name: string, ...args: Array<string | number>): Promise<unknown> {
  return await connected(server, 1_000, async (redis) => await redis.call(name, ...args))
}

/**
 * Several commands, to a server that is known to be there, on one connection, which costs far more than they do. However busy
 * we are: the owner's event loop may have more to do than to start servers.
 */
export async function talk<T> (server: Address, work: (redis: Redis) => Promise<T>): Promise<T> {
  return await connected(server, patience, work)
}

async function connected<T> ({ host, port }: Address, timeout: number, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({
    host, port, lazyConnect: true, enableReadyCheck: false, connectTimeout: timeout, commandTimeout: timeout, retryStrategy: () => null
  })
  // The command's own rejection tells enough.
  redis.on('error', () => {})
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

/** Fields of replies in the form of INFO: `name:value`, a line each. */
export async function info (server: Address, name: string, ...args: string[]): Promise<Map<string, string>> {
  const text = String(await command(server, name, ...args))
  return new Map(Array.from(text.matchAll(/^(\w+):(.*)$/gm), ([, field, value]) => [field!, value!]))
}

/** Asks again until it holds; an answer that fails counts as no. Rejects after twenty seconds with the last failure. */
export async function until (what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + patience
  for (;;) {
    let cause: unknown
    if (await holds().catch((error: unknown) => { cause = error; return false })) return
    if (Date.now() > deadline) throw new Error(`${what}: not within ${patience / 1_000} s`, { cause })
    await delay(50)
  }
}
