import type { PgPoolOptions } from '../shared/pg-pool.js'

/** A setting of a pool that will hurt one day. */
export interface SettingWarning {
  setting: string
  /** As it is; `unset` where the driver's default holds. */
  value: unknown
  recommended: unknown
  why: string
}

/** What of a MongoClient's options is looked at; milliseconds. */
export interface MongoSettings {
  readonly maxPoolSize?: number | undefined
  readonly minPoolSize?: number | undefined
  readonly serverSelectionTimeoutMS?: number | undefined
  readonly socketTimeoutMS?: number | undefined
  readonly waitQueueTimeoutMS?: number | undefined
}

type Rule<Settings> = {
  [Key in keyof Settings]-?: {
    recommended: unknown
    /** The reason, where the setting will hurt. */
    judge: (value: Settings[Key], settings: Settings) => string | undefined
  }
}

/** A route that waits for longer is slow whatever comes then. */
const PATIENCE = 10_000

/** One machine's Postgres works at hardly more at a time: https://wiki.postgresql.org/wiki/Number_Of_Database_Connections */
const MANY_CONNECTIONS = 100

const PG: Rule<Omit<PgPoolOptions, 'maxLifetimeSeconds' | 'statement_timeout' | 'pipeline'>> = {
  max: {
    recommended: 20,
    judge: (max = 10) => max === 1
      ? 'one connection: a single slow query lets everybody wait'
      : max > MANY_CONNECTIONS ? 'Postgres works at no more than a few times its cores at once, each process of the app opens so many, and max_connections is 100 by default' : undefined
  },
  min: {
    recommended: 5,
    judge: (min = 0, { max = 10 }) => min > max
      ? 'more than max: that many are never open'
      : min === 0 ? 'after a quiet time the first callers wait for new connections to be opened' : undefined
  },
  idleTimeoutMillis: {
    recommended: 30_000,
    judge: (idle) => idle === 0 || idle === null
      ? 'idle connections are never closed, and one that a firewall has dropped unnoticed fails the next query'
      : idle !== undefined && idle < 1_000 ? 'connections are closed and opened again between two requests' : undefined
  },
  connectionTimeoutMillis: {
    recommended: 2_000,
    judge: (timeout = 0) => timeout === 0
      ? 'who asks for a connection waits for ever when the pool is exhausted or Postgres is away'
      : timeout > PATIENCE ? `${timeout} ms is longer than a client waits` : undefined
  },
  maxUses: {
    recommended: 7_500,
    judge: (uses = Infinity, { maxLifetimeSeconds = 0 }: PgPoolOptions) => uses === Infinity && maxLifetimeSeconds === 0
      ? 'a connection lives for ever: the memory of its server process only grows, and none moves to a server that was added'
      : uses < 100 ? 'a connection is opened anew after a few queries, which costs more than they do' : undefined
  },
  query_timeout: {
    recommended: 10_000,
    judge: (timeout = 0, { statement_timeout: statement = 0 }: PgPoolOptions) => timeout === 0 && (statement === 0 || statement === false)
      ? 'a query to a Postgres that hangs is waited for for ever, and so is its connection'
      : undefined
  }
}

const MONGO: Rule<MongoSettings> = {
  maxPoolSize: {
    recommended: 10,
    judge: (max = 100) => max === 0
      ? 'no limit: a burst opens a connection for each request, which the server pays for'
      : max === 1 ? 'one connection: a single slow operation lets everybody wait' : max > MANY_CONNECTIONS ? 'each process of the app opens so many on every server' : undefined
  },
  minPoolSize: {
    recommended: 2,
    judge: (min = 0) => min === 0 ? 'after a quiet time the first callers wait for new connections to be opened' : undefined
  },
  serverSelectionTimeoutMS: {
    recommended: 5_000,
    judge: (timeout = 30_000) => timeout > PATIENCE || timeout === 0 ? `with the server away each operation waits ${timeout === 0 ? 'for ever' : `${timeout} ms`} before it fails` : undefined
  },
  socketTimeoutMS: {
    recommended: 45_000,
    judge: (timeout = 0) => timeout === 0 ? 'an answer that never comes, from a server that hangs, is waited for for ever' : undefined
  },
  waitQueueTimeoutMS: {
    recommended: 2_000,
    judge: (timeout = 0) => timeout === 0 ? 'who asks for a connection of an exhausted pool waits for ever' : undefined
  }
}

export function pgWarnings (settings: PgPoolOptions): SettingWarning[] {
  return warnings(PG, settings)
}

export function mongoWarnings (settings: MongoSettings): SettingWarning[] {
  return warnings(MONGO, settings)
}

function warnings<Settings extends object> (rules: Rule<Settings>, settings: Settings): SettingWarning[] {
  const found: SettingWarning[] = []
  for (const [setting, { recommended, judge }] of Object.entries(rules) as Array<[keyof Settings & string, Rule<Settings>[keyof Settings]]>) {
    const value = settings[setting]
    const why = judge(value, settings)
    if (why !== undefined) found.push({ setting, value: value ?? 'unset', recommended, why })
  }
  return found
}
