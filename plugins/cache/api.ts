import type { Duration, Size } from '../shared/units.js'
import type { WriteBehind, WriteBehindOptions } from '../write-behind/index.js'

/** What rules how a value is kept and given out. Each can be a default of the plugin too. */
export interface CacheDefaults {
  /** How long the value is fresh; 0 keeps nothing. Default `'1m'`. */
  ttl?: Duration
  /** The share of the ttl, from 0 to 1, by which it may be shortened at random, so that not all values end at once. Default 0.1. */
  jitter?: number
  /** How long after its end the value may still be given out, at once, while it is loaded anew in the background. Default 0. */
  stale?: Duration
  /** How long after its end the value may still be given out when loading it anew fails or takes too long. Default 0. */
  staleOnError?: Duration
  /**
   * Loads a value anew in the background before its end, the likelier the nearer that is and the longer its load takes
   * (XFetch). `true` is a factor of 1; a larger one refreshes earlier. Default `false`.
   */
  refreshAhead?: boolean | number
  /** How long is kept that an id does not exist; only of `getMany` and `resource`. Default 0: it is asked for again. */
  negativeTtl?: Duration
  /** How long a load is waited for where a stale value is at hand. Default: as long as `hardTimeout`. */
  softTimeout?: Duration
  /**
   * How long a load is waited for. Then the call has a stale value, where `stale` or `staleOnError` allow one, or fails
   * with `FST_HEADROOM_CACHE_TIMEOUT` (504). The load goes on, and no second one begins beside it. Default `'30s'`.
   */
  hardTimeout?: Duration
  /** The largest value, serialised, that is kept; a larger one is given out only. Default `'8mb'`. */
  maxBytes?: Size
  /** Whether each call gets a copy of its own, plain values too. Default `false`: these come frozen, and shared. */
  clone?: boolean
}

export interface CacheEntryOptions extends CacheDefaults {
  /** What the value depends on, for `invalidateTags`. */
  tags?: readonly string[]
  /** This caller's: when it aborts, the call rejects with its reason; and so is the load, when all who asked for it have aborted. */
  signal?: AbortSignal
}

export interface LoadContext {
  /** Aborts when the signals of all callers have aborted, and when the load has taken longer than `longestLoad`. */
  readonly signal: AbortSignal
  /** The value to be replaced, if it is still at hand and the load is for one key: for a source that can say that nothing has changed. */
  readonly stale: unknown
  /** Overrides the call's `ttl` for the value being loaded; 0 keeps nothing. */
  ttl (duration: Duration): void
  /** Adds tags, which may be known only from what was loaded. */
  tags (...tags: string[]): void
}

export type Load<T> = (context: LoadContext) => Promise<T> | T

export type Id = string | number

/**
 * Loads several at once: a Map by id (as a number or as a string, whichever the source has), or an array in the order of
 * `ids`. What is left out or undefined is missing, and an Error in a place fails that id alone.
 */
export type LoadMany<T, I extends Id = Id> = (ids: I[], context: LoadContext) => LoadedMany<T> | Promise<LoadedMany<T>>

export type LoadedMany<T> = ReadonlyMap<Id, T | Error | undefined> | ReadonlyArray<T | Error | undefined>

export interface GetManyOptions<T, I extends Id = Id> extends CacheEntryOptions {
  /** The key for an id. Ids with the same key are one and the same, such as `7` and `'7'`. */
  key: (id: I) => string
  load: LoadMany<T, I>
}

export interface SettleOption<Settle extends boolean> {
  /** Whether each id has a result of its own, as of `Promise.allSettled`. Default `false`: one failure fails the call. */
  settle?: Settle
}

export interface WriteResult {
  /**
   * Whether Redis, and so every other process, was told: none gives out anything older from then on. `false` without Redis,
   * and while it cannot be reached.
   */
  shared: boolean
}

/** What is loaded by its id, and how a value comes to the source. */
export type ResourceOptions<T, I extends Id = Id> = LoadedResource<T, I> & (WrittenThrough<T, I> | WrittenBehind<T, I>)

interface LoadedResource<T, I extends Id> extends Omit<CacheEntryOptions, 'signal'> {
  /** The key for an id, below the resource's name. Default: the id itself, with `:` encoded. */
  key?: (id: I) => string
  /** Loads one from the source; null or undefined when there is none. */
  load: (id: I, context: LoadContext) => Promise<T> | T
  /** Loads several; without it, `getMany` loads each by itself, side by side. */
  loadMany?: LoadMany<T, I>
}

interface WrittenThrough<T, I extends Id> {
  /** `set` saves to the source first, then keeps the value. */
  write?: 'through'
  /** Brings a value to the source. */
  save?: (id: I, value: T) => unknown
  queue?: never
}

interface WrittenBehind<T, I extends Id> {
  /** `set` queues the value in Redis, durably, and keeps it; it is saved soon. Needs `fastify-headroom/write-behind`. */
  write: 'behind'
  /** Brings a value to the source, where that has nothing of a higher version. */
  save: WriteBehindOptions<T, I>['save']
  /** The other options of `app.writeBehind`. */
  queue?: Omit<WriteBehindOptions<T, I>, 'save'>
}

/** One kind of thing that is loaded by its id. */
export interface Resource<T, I extends Id = Id> {
  /** Of one that is written behind: what waits, and what could not be saved. */
  readonly queue: WriteBehind<T, I> | undefined
  /** Read-through: from the cache, else what waits to be saved, else from the source. */
  get (id: I, options?: Pick<CacheEntryOptions, 'signal'>): Promise<T>
  /** In the order of `ids`; undefined where there is none. */
  getMany (ids: readonly I[], options?: Pick<CacheEntryOptions, 'signal'>): Promise<Array<T | undefined>>
  /**
   * Write-through: to the source, then to the cache. Write-behind: to the queue, then to the cache.
   *
   * @throws what `save` or the queue's `set` throws, and then forgets the value; `FST_HEADROOM_CACHE_OPTION` without `save`;
   *   `_REENTRY` in a save of the same id; with `strict`, `_UNSHARED`
   */
  set (id: I, value: T): Promise<WriteResult>
  /** Forgets the value; the source keeps it. */
  delete (id: I): Promise<WriteResult>
  /**
   * Loads the value anew now, whatever is kept, and keeps that in its place; where Redis cannot be told, nothing.
   *
   * @throws what the load throws; `FST_HEADROOM_CACHE_TIMEOUT` (504), `_REENTRY`
   */
  refresh (id: I): Promise<T>
}

export interface CacheStats {
  /** Values given out from the memory of this process. */
  memoryHits: number
  /** Values read from Redis, each for one call or for several that share it. */
  redisHits: number
  /** Keys that neither tier had, each for one call or for several that share its load; not those loaded anew in the background. */
  misses: number
  /** Calls of loaders; one that is asked for several ids counts once. */
  loads: number
  /** Keys that another process was loading when this one would have. */
  loadsElsewhere: number
  /** Loads that threw, and ids that failed. */
  loadErrors: number
  /** Calls that shared a load or a read that another call had begun. */
  shared: number
  /** Values given out after their end. */
  staleServed: number
  /** Redis commands that failed or did not answer in time; while Redis is away, none is sent. */
  redisErrors: number
  /** Entries in Redis that could not be read: damaged, foreign, of another version, or larger than `maxBytes`. */
  unreadable: number
  /** Loaded values that cannot be kept (functions, class instances): given out, not cached. */
  unsupported: number
  /** Loaded values larger than `maxBytes`: given out, not cached. */
  oversized: number
  /** Entries in memory. */
  entries: number
  /** Bytes in memory. */
  bytes: number
}

export interface Cache {
  /**
   * Cache-aside: the value under `key`. On a miss `load` is called once, whoever else asks meanwhile shares its value or
   * its error, and what it gives is kept, null and undefined included.
   *
   * Plain values come frozen, because callers share them; values with Date, Map, Set or binary parts come as copies.
   *
   * @throws whatever `load` throws; the reason of `signal`; `FST_HEADROOM_CACHE_TIMEOUT`, `_BUSY`, `_REENTRY`, and `_OPTION`,
   *   `_KEY`, `_LOAD`, `_TAG` for what is wrong in the call (options are read when memory has nothing); never an error of Redis
   */
  getOrSet<T> (key: string, load: Load<T>, options?: CacheEntryOptions): Promise<T>
  /**
   * The values for all ids, in their order: each tier is asked once, and `load` once for what neither has. An id that it
   * leaves out is undefined.
   *
   * @throws when an id fails and `settle` is not set: the error itself where there is one for all of them, else
   *   `FST_HEADROOM_CACHE_BATCH` with all of them in `errors`
   */
  getMany<T, I extends Id = Id> (ids: readonly I[], options: GetManyOptions<T, I> & Required<SettleOption<true>>): Promise<Array<PromiseSettledResult<T | undefined>>>
  getMany<T, I extends Id = Id> (ids: readonly I[], options: GetManyOptions<T, I> & SettleOption<false>): Promise<Array<T | undefined>>
  /** The fresh value under `key`, `undefined` on a miss; `has` tells a kept `undefined` from a miss. */
  get<T = unknown> (key: string): Promise<T | undefined>
  has (key: string): Promise<boolean>
  /**
   * Keeps a value that the caller knows to be the newest. To keep one that was loaded, use `getOrSet`. A value that cannot be
   * kept, is larger than `maxBytes`, or has a ttl of 0, only removes what is kept.
   *
   * @throws with `strict`, as the three below, `FST_HEADROOM_CACHE_UNSHARED` (503) where Redis could not be told;
   *   `FST_HEADROOM_CACHE_KEY`, `_OPTION` and `_TAG` for what is wrong in the call
   */
  set (key: string, value: unknown, options?: Omit<CacheEntryOptions, 'signal'>): Promise<WriteResult>
  /** Removes the value, and stops every load of this key that has begun from keeping its own. @throws `FST_HEADROOM_CACHE_KEY` */
  delete (key: string): Promise<WriteResult>
  /** Voids every value that has one of the tags, however many they are, and what is being loaded with one. @throws `FST_HEADROOM_CACHE_TAG` */
  invalidateTags (...tags: string[]): Promise<WriteResult>
  /** Voids every value under this prefix; nothing else in Redis is touched. */
  clear (): Promise<WriteResult>
  /**
   * Read-through, write-through and write-behind for what is loaded by its id.
   *
   * @param name in front of its keys; without colon, and given once in an app
   * @throws `FST_HEADROOM_CACHE_OPTION` where the name is taken, or an option is wrong
   */
  resource<T, I extends Id = Id> (name: string, options: ResourceOptions<T, I>): Resource<T, I>
  stats (): CacheStats
}
