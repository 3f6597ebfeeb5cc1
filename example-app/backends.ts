import { join } from 'node:path'
import pg from 'pg'
import { cacheFolder } from '../services/cache-folder.js'
import { startPostgresServer } from '../services/postgres-server.js'
import { startRedisServer } from '../services/redis-server.js'
import type { RunningServer } from '../services/running-server.js'
import { withoutSecrets, type Config } from './config.js'
import { seed } from './seed.js'

/** What the app runs on. */
export interface Backends {
  databaseUrl: string
  redisUrl: string | undefined
  /** Whether it is one of the example's own, which keeps an append-only file. */
  redisDurable: boolean
  /** A line each, for people. */
  postgres: string
  redis: string
  /** Ends what was started here; what the environment named is left alone. */
  stop (): Promise<void>
}

type Backend = { url: string | undefined, description: string, server?: RunningServer }

/**
 * The services that the environment names, or else real ones of the example's own, and the example's data in them.
 *
 * @throws when there is no Postgres to be had; without Redis the app runs on its memory tier, and the description says so
 */
export async function startBackends (config: Config, onProgress: (line: string) => void): Promise<Backends> {
  const started: RunningServer[] = []
  const stop = async (): Promise<void> => { await Promise.all(started.map((server) => server.stop())) }
  const keep = async (starting: Promise<Backend>): Promise<Backend> => {
    const backend = await starting
    if (backend.server) started.push(backend.server)
    return backend
  }
  const [postgres, redis] = await Promise.allSettled([keep(postgresOf(config, onProgress)), keep(redisOf(config, onProgress))])
  try {
    if (postgres.status === 'rejected') throw postgres.reason
    if (redis.status === 'rejected') throw redis.reason
    const databaseUrl = postgres.value.url!
    await seedDatabase(databaseUrl, config.SEED_USERS, onProgress)
    return {
      databaseUrl,
      redisUrl: redis.value.url,
      redisDurable: redis.value.server !== undefined,
      postgres: postgres.value.description,
      redis: redis.value.description,
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function postgresOf ({ DATABASE_URL: url, SEED_USERS: users }: Config, onProgress: (line: string) => void): Promise<Backend> {
  if (url) return { url, description: withoutSecrets(url) }
  // One folder for each size of data; the first start fills it, later ones find it filled.
  const folder = join(await cacheFolder(), 'example', `postgres-${users}-users`)
  const settings = { max_connections: 200, synchronous_commit: false }
  try {
    const server = await startPostgresServer({ folder, settings })
    return { url: server.url, server, description: `started here, its data kept in ${folder}` }
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'HEADROOM_POSTGRES_FOLDER_IN_USE') throw error
    onProgress('Another example runs on the kept data; this one makes its own.')
    const server = await startPostgresServer({ settings })
    return { url: server.url, server, description: 'started here, its data gone when it stops' }
  }
}

async function redisOf ({ REDIS_URL: url }: Config, onProgress: (line: string) => void): Promise<Backend> {
  if (url) return { url, description: withoutSecrets(url) }
  try {
    // A view that is counted need not outlast a power cut: to sync the file each second is enough.
    const server = await startRedisServer({ persist: true, args: ['--appendfsync', 'everysec'], onProgress })
    return { url: server.url, server, description: 'started here' }
  } catch (error) {
    return { url: undefined, description: `none, so the cache keeps to its memory tier and nothing is written behind (${(error as Error).message})` }
  }
}

async function seedDatabase (connectionString: string, users: number, onProgress: (line: string) => void): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 })
  try {
    await client.connect()
  } catch (error) {
    throw new Error(`no PostgreSQL at ${withoutSecrets(connectionString)}: ${(error as Error).message}`, { cause: error })
  }
  try {
    await seed(client, users, onProgress)
  } finally {
    await client.end()
  }
}
