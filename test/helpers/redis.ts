import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { type RedisCluster, type RedisClusterOptions, startRedisCluster } from '../../services/redis-cluster.js'
import type { Address } from '../../services/redis-group.js'
import { type RedisSentinel, type RedisSentinelOptions, startRedisSentinel } from '../../services/redis-sentinel.js'
import { type RedisServer, type RedisServerOptions, startRedisServer } from '../../services/redis-server.js'

export interface UsedRedis {
  url: string
  /** In front of every key the test writes. */
  prefix: string
}

// SUITE_REDIS and its like: what the suite's runner has started for all files. A file that is run alone starts its own.

/**
 * A Redis for this test: the one of `REDIS_URL`, or the suite's, of which only keys under `prefix` are ours and are deleted in
 * the end, else an own server.
 */
export async function useRedis (t: Test): Promise<UsedRedis> {
  const prefix = `headroom-test-${randomBytes(6).toString('hex')}-`
  const url = process.env.REDIS_URL || process.env.SUITE_REDIS
  if (url) {
    t.teardown(() => deletePrefix(url, prefix))
    return { url, prefix }
  }
  return { url: (await ownRedis(t)).url, prefix }
}

/** Where a Cluster of three masters listens, for tests that only talk to it, under a prefix of theirs: the suite's, else an own one. */
export async function useCluster (t: Test): Promise<Address[]> {
  const { SUITE_CLUSTER } = process.env
  return SUITE_CLUSTER ? JSON.parse(SUITE_CLUSTER) as Address[] : (await ownCluster(t, { replicas: 0 })).startupNodes
}

/** The same of a master that a Sentinel watches, for `new Redis(…)`. */
export async function useSentinel (t: Test): Promise<Pick<RedisSentinel, 'sentinels' | 'name'>> {
  const { SUITE_SENTINEL } = process.env
  if (SUITE_SENTINEL) return JSON.parse(SUITE_SENTINEL) as Pick<RedisSentinel, 'sentinels' | 'name'>
  const { sentinels, name } = await ownSentinel(t, { guards: 1 })
  return { sentinels, name }
}

/** A server of the test's own, whatever the environment: for tests that pause, kill or flush it. */
export async function ownRedis (t: Test, options?: RedisServerOptions): Promise<RedisServer> {
  return endsWith(t, await startRedisServer({ onProgress: (line) => { t.comment(line) }, ...options }))
}

/** A Cluster of the test's own: three masters, with a replica each unless without is enough. Takes a good two seconds. */
export async function ownCluster (t: Test, options?: RedisClusterOptions): Promise<RedisCluster> {
  return endsWith(t, await startRedisCluster({ onProgress: (line) => { t.comment(line) }, ...options }))
}

/** A master and a replica of the test's own, watched by three Sentinels, or by fewer. */
export async function ownSentinel (t: Test, options?: RedisSentinelOptions): Promise<RedisSentinel> {
  return endsWith(t, await startRedisSentinel({ onProgress: (line) => { t.comment(line) }, ...options }))
}

function endsWith<Started extends { stop (): Promise<void> }> (t: Test, started: Started): Started {
  t.teardown(() => started.stop())
  return started
}

async function deletePrefix (url: string, prefix: string): Promise<void> {
  const redis = new Redis(url)
  try {
    for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 }) as AsyncIterable<string[]>) {
      if (keys.length > 0) await redis.unlink(keys)
    }
  } finally {
    redis.disconnect()
  }
}
