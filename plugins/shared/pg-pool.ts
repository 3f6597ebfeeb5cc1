// As those of an EventEmitter, whose types these have to fit.
type Listener = (...args: any[]) => void
export type PoolEvent = 'error' | 'connect' | 'acquire' | 'release' | 'remove'

/** What is used of a pg pool; `pg.Pool` is one. */
export interface PgPool {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  readonly ending?: boolean
  readonly options: PgPoolOptions
  connect (): Promise<PgClient>
  query (text: string, values?: unknown[]): Promise<QueryResult>
  on (event: PoolEvent, listener: Listener): unknown
  off (event: PoolEvent, listener: Listener): unknown
  listeners (event: PoolEvent): unknown[]
}

/** In milliseconds, as pg-pool has them. */
export interface PgPoolOptions {
  readonly max?: number | undefined
  readonly min?: number | undefined
  readonly idleTimeoutMillis?: number | null | undefined
  readonly connectionTimeoutMillis?: number | undefined
  readonly maxUses?: number | undefined
  readonly maxLifetimeSeconds?: number | undefined
  readonly query_timeout?: number | undefined
  readonly statement_timeout?: false | number | undefined
  /** Since pg 8.23. */
  readonly pipeline?: boolean | undefined
}

export interface PgClient {
  query (text: string): Promise<unknown>
  release: Release
  /** Since pg 8.21; not of pg-native. */
  getTransactionStatus? (): 'I' | 'T' | 'E' | null
  on (event: 'error' | 'drain', listener: Listener): unknown
  off (event: 'error' | 'drain', listener: Listener): unknown
}

export type Release = (error?: Error | boolean) => void

/** What a pool calls when there is a connection for who asked, or an error. */
export type Connected = (error: Error | undefined, client: PgClient | undefined, release: Release) => void

export interface QueryResult<Row = any> {
  rows: Row[]
  rowCount: number | null
  command: string
}

/** pg-pool's own default of `max` is 10. */
export function maxOf ({ options }: PgPool): number {
  return options.max ?? 10
}

export function isPgPool (value: unknown): value is PgPool {
  const pool = value as Partial<PgPool> | null | undefined
  return typeof pool === 'object' && pool !== null && typeof pool.totalCount === 'number' &&
    typeof pool.idleCount === 'number' && typeof pool.waitingCount === 'number' &&
    typeof pool.connect === 'function' && typeof pool.query === 'function' &&
    typeof pool.on === 'function' && typeof pool.off === 'function' && typeof pool.listeners === 'function' &&
    typeof pool.options === 'object' && pool.options !== null
}
