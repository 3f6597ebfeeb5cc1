import type { Duration } from '../shared/units.js'

export interface CacheEntryOptions {
  /** How long the value is given out; 0 keeps nothing. Default: the plugin's `ttl`. */
  ttl?: Duration
}

export interface LoadContext {
  /** Overrides the call's `ttl` for the value being loaded; 0 keeps nothing. */
  ttl (duration: Duration): void
}

export type Load<T> = (context: LoadContext) => Promise<T> | T

export interface WriteResult {
  /** Whether Redis, and so every other process, was told. `false` without Redis, and while it cannot be reached. */
  shared: boolean
}

export interface CacheStats {
  /** Values given out from the memory of this process. */
  memoryHits: number
  /** Values given out from Redis. */
  redisHits: number
  /** Calls that found nothing. */
  misses: number
  /** Loads begun. */
  loads: number
  /** Loads that threw. */
  loadErrors: number
  /** Calls that shared a load or a read that another call had begun. */
  shared: number
  /** Redis commands that failed or did not answer in time; while Redis is away, none is sent. */
  redisErrors: number
  /** Entries in Redis that could not be read: damaged, foreign, or of another version. */
  unreadable: number
  /** Loaded values that cannot be kept (functions, class instances): given out, not cached. */
  unsupported: number
  /** Entries in memory. */
  entries: number
  /** Bytes in memory. */
  bytes: number
}

export interface Cache {
  /**
   * The value under `key`; on a miss `load` is called once, whoever else asks meanwhile shares its value or its error,
   * and what it gives is kept, null and undefined included.
   *
   * Plain values come frozen, because callers share them; values with Date, Map, Set or binary parts come as copies.
   *
   * @throws whatever `load` throws; never an error of Redis
   */
  getOrSet<T> (key: string, load: Load<T>, options?: CacheEntryOptions): Promise<T>
  /** The value under `key`, `undefined` on a miss; `has` tells a kept `undefined` from a miss. */
  get<T = unknown> (key: string): Promise<T | undefined>
  has (key: string): Promise<boolean>
  /** Keeps a value that the caller knows to be the newest. To keep one that was loaded, use `getOrSet`. */
  set (key: string, value: unknown, options?: CacheEntryOptions): Promise<WriteResult>
  /** Removes the value, and stops every load of this key that has begun from keeping its own. */
  delete (key: string): Promise<WriteResult>
  stats (): CacheStats
}
