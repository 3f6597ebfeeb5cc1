import { entryOf, type Entry } from '../shared/entry.js'
import { complaint, describe, type OptionTable } from '../shared/options.js'
import type { RedisLeases } from '../shared/redis-leases.js'
import { EVERYTHING } from '../shared/redis-tags.js'
import type { RedisKeys } from '../shared/redis-tier.js'
import { inSpan } from '../shared/spans.js'
import type { CreateWriteBehind } from '../write-behind/index.js'
import { Admission } from './admission.js'
import type { Cache, CacheEntryOptions, CacheStats, GetManyOptions, Id, Load, Resource, ResourceOptions, SettleOption, WriteResult } from './api.js'
import { batchLoader, checkIds, resultsOf, taken, uniqueIds } from './batch.js'
import { KeyError, LoadError, OptionError, UnsharedError } from './errors.js'
import { isFarFromEnd, lifetime, retentionOf } from './freshness.js'
import type { Kept } from './kept.js'
import type { News } from './messages.js'
import { single } from './loader-calls.js'
import { Loads } from './loads.js'
import { checkAlone, createResource } from './resource.js'
import { checkTag, GET_MANY_TABLE, LASTING_TABLE, settingsOf, type Settings } from './settings.js'
import { Tiers, type TiersOptions } from './tiers.js'
import { Turns } from './turns.js'

export interface TieredCacheOptions extends Omit<TiersOptions, 'onForgotten'> {
  defaults: Settings
  /** Undefined: each process loads for itself. */
  leases: RedisLeases | undefined
  keys: RedisKeys
  maxWaiters: number
  /** A clock that nobody sets, milliseconds. */
  monotonicNow: () => number
  /** Whether a write that Redis could not be told of rejects. */
  strict: boolean
  /** As `Math.random`. */
  random: () => number
  /** `app.writeBehind`, where it is registered by now. */
  createWriteBehind: () => CreateWriteBehind | undefined
  /** What of a loaded or given value cannot be kept, such as `an instance of User`. */
  onUnsupported: (part: string) => void
}

/** Memory, then Redis, then the loader. */
export class TieredCache implements Cache {
  readonly tiers: Tiers
  readonly #options: TieredCacheOptions
  readonly #admission: Admission
  readonly #loads: Loads
  readonly #turns: Turns | undefined
  readonly #resources = new Set<string>()
  readonly #defaults: Settings
  readonly #now: () => number
  /** Bytes of the largest value that a call here may keep: who asks without a limit is given no larger one either. */
  #largest: number
  /** Whether by default every caller may have the entry's own promise. */
  readonly #takesShared: boolean

  constructor (options: TieredCacheOptions) {
    this.#options = options
    this.#defaults = options.defaults
    this.#largest = options.defaults.maxBytes
    this.#now = options.now
    this.#takesShared = !options.defaults.clone && options.defaults.refreshAhead === false
    this.tiers = new Tiers({
      ...options,
      onRedisError: (error) => {
        options.onRedisError(error)
        this.#turns?.giveUpFailing()
      },
      onForgotten: (outdated) => {
        if (outdated === 'everything') {
          this.#loads.forgetAll()
          this.#turns?.lookAgain()
        } else for (const key of this.#loads.forget(outdated)) this.#turns?.hear(key, 'unknown')
      }
    })
    const { leases, messages } = options
    this.#turns = leases === undefined
      ? undefined
      : new Turns({ leases, messages, keys: options.keys, hears: () => this.tiers.listening, onRedisError: (error) => { this.tiers.redisFailed(error) } })
    this.#admission = new Admission(options.onUnsupported)
    this.#loads = new Loads({ ...options, tiers: this.tiers, turns: this.#turns, admission: this.#admission })
  }

  // A hit in memory takes some hundred nanoseconds: what is done here for each is measured.
  getOrSet<T> (key: string, load: Load<T>, options?: CacheEntryOptions): Promise<T> {
    const now = this.#now()
    const kept = this.tiers.recall(key, now)
    if (kept === undefined || kept.freshUntil <= now || (options === undefined ? !this.#takesShared : !this.#isSimple(kept, options, now))) {
      return this.#obtain(key, load, options) as Promise<T>
    }
    this.tiers.counts.memoryHits++
    return kept.promise() as Promise<T>
  }

  async getMany<T, I extends Id> (ids: readonly I[], options: GetManyOptions<T, I> & SettleOption<boolean>): Promise<any> {
    checkIds(ids)
    if (options === undefined) throw new OptionError(complaint('options', 'an object', 'undefined'))
    const settings = this.#settingsOf(options, GET_MANY_TABLE)
    const { key: keyOf, load, settle = false } = options
    if (keyOf === undefined) throw new OptionError(complaint('options.key', GET_MANY_TABLE.key.expected, 'undefined'))
    checkLoad(load)
    const keys = ids.map((id) => keyOf(id))
    keys.forEach(checkKey)
    const idOf = uniqueIds(ids, keys)
    const results = await inSpan('cache wait', () => this.#loads.askMany([...idOf.keys()], settings, batchLoader(idOf, keyOf, load, (value) => value === undefined)))
    return resultsOf(keys, results, settle, settings.clone)
  }

  async get<T> (key: string): Promise<T | undefined> {
    const entry = await this.#find(key)
    return entry === undefined ? undefined : taken(entry, this.#defaults.clone) as T
  }

  async has (key: string): Promise<boolean> {
    return await this.#find(key) !== undefined
  }

  async set (key: string, value: unknown, options?: Omit<CacheEntryOptions, 'signal'>): Promise<WriteResult> {
    checkKey(key)
    const settings = this.#settingsOf(options, LASTING_TABLE)
    const own = this.#admission.admit(key, entryOf(value), settings)
    if (own === undefined || settings.ttl === 0) return await this.delete(key)
    return this.#told(await this.tiers.set(key, own, settings.tags, this.#lifetime(settings)))
  }

  async delete (key: string, ...more: never[]): Promise<WriteResult> {
    checkKey(key)
    checkAlone(more)
    return this.#told(await this.tiers.delete(key))
  }

  async invalidateTags (...tags: string[]): Promise<WriteResult> {
    tags.forEach(checkTag)
    return this.#told(await this.tiers.invalidate(tags))
  }

  async clear (): Promise<WriteResult> {
    return this.#told(await this.tiers.invalidate([EVERYTHING]))
  }

  resource<T, I extends Id> (name: string, options: ResourceOptions<T, I>): Resource<T, I> {
    if (this.#resources.has(name)) throw new OptionError(`resource: the name ${describe(name)} is taken`)
    const resource = createResource(name, options, {
      settingsOf: (given, place, table) => this.#settingsOf(given, table, place),
      longestSave: this.#options.longestLoad,
      createWriteBehind: this.#options.createWriteBehind(),
      ask: (key, settings, loader) => inSpan('cache wait', () => this.#loads.ask(key, settings, loader)),
      askMany: (keys, settings, loader) => inSpan('cache wait', () => this.#loads.askMany(keys, settings, loader)),
      refresh: (key, settings, loader) => inSpan('cache wait', () => this.#loads.refreshNow(key, settings, loader)),
      delete: (key) => this.delete(key),
      setAfter: async (save, key, value, settings) => this.#told(await this.tiers.keeping.saved(key, settings.tags, async () => {
        // In one turn with the save: the source and the cache are to have the same, whatever the caller goes on to change.
        const own = settings.ttl === 0 ? undefined : this.#admission.admit(key, entryOf(value), settings)
        await save()
        return own === undefined ? undefined : { own, ...this.#lifetime(settings) }
      }, retentionOf(settings)))
    })
    this.#resources.add(name)
    return resource
  }

  /** What another process said. */
  hear (news: News): void {
    if (news.kind === 'key') this.tiers.forget(news.key)
    if (news.kind === 'tags') this.tiers.forgetTags(news.tags)
    if (news.kind === 'ended') this.#turns?.hear(news.key, news.ending)
  }

  /** What others say is not heard: nor may be the ends of their loads. */
  deaf (): void {
    this.#turns?.lookAgain()
  }

  /** Lets go of what others may wait for. */
  close (): void {
    this.#turns?.close()
    this.tiers.close()
  }

  stats (): CacheStats {
    return { ...this.tiers.stats, ...this.#loads.counts, ...this.#admission.counts }
  }

  /** Whether the entry's own promise is the whole answer. */
  #isSimple (kept: Kept, options: CacheEntryOptions, now: number): boolean {
    // What is no object is refused further on, and one that has aborted already is to have nothing.
    if (typeof options !== 'object' || options === null || options.signal?.aborted === true) return false
    if (options.clone ?? this.#defaults.clone) return false
    const ahead = options.refreshAhead ?? this.#defaults.refreshAhead
    // Where chance decides, it is asked once, further on.
    return ahead === false || (typeof ahead === 'number' && isFarFromEnd(kept, ahead, now))
  }

  async #obtain (key: string, load: Load<unknown>, options: CacheEntryOptions | undefined): Promise<unknown> {
    checkKey(key)
    checkLoad(load)
    const settings = this.#settingsOf(options)
    return taken(await inSpan('cache wait', () => this.#loads.ask(key, settings, single(load))), settings.clone)
  }

  #told (result: WriteResult): WriteResult {
    if (this.#options.strict && !result.shared) throw new UnsharedError()
    return result
  }

  #settingsOf (options: CacheEntryOptions | undefined, table?: OptionTable, place = 'options'): Settings {
    const settings = settingsOf(options, this.#defaults, place, table)
    this.#largest = Math.max(this.#largest, settings.maxBytes)
    return settings
  }

  async #find (key: string): Promise<Entry | undefined> {
    checkKey(key)
    const { tiers } = this
    const recalled = tiers.recall(key)
    if (recalled !== undefined && this.#isFresh(recalled)) {
      tiers.counts.memoryHits++
      return recalled.value
    }
    const [found] = await inSpan('cache wait', () => tiers.fences.hold(key, 'read', (fence) => tiers.find([fence], [], this.#largest)))
    const { kept } = found!
    if (kept !== undefined && this.#isFresh(kept)) {
      tiers.counts.redisHits++
      return kept.value
    }
    this.#loads.countMiss()
    return undefined
  }

  #isFresh ({ freshUntil }: Kept): boolean {
    return freshUntil > this.#now()
  }

  #lifetime (settings: Settings): ReturnType<typeof lifetime> {
    return lifetime(settings, this.#now(), this.#options.random)
  }
}

function checkKey (key: string): void {
  if (typeof key !== 'string' || key === '') throw new KeyError(describe(key))
}

function checkLoad (load: unknown): void {
  if (typeof load !== 'function') throw new LoadError(`a function that loads the value, got ${describe(load)}`)
}
