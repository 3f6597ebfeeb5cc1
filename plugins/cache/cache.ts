import type { MemoryTier } from '../shared/memory-tier.js'
import { describe, duration, INVALID, resolveOptions } from '../shared/options.js'
import { UnavailableError } from '../shared/redis-commands.js'
import type { RedisRead, RedisTier } from '../shared/redis-tier.js'
import { inSpan } from '../shared/spans.js'
import type { Duration } from '../shared/units.js'
import type { Cache, CacheEntryOptions, CacheStats, Load, LoadContext, WriteResult } from './api.js'
import { loaded, redisFailed } from './channels.js'
import type { Coherence } from './coherence.js'
import { entryFrom, entryOf, uncopied, type Entry } from './entry.js'
import { KeyError, LoadError, OptionError } from './errors.js'
import { Fences, type Fence } from './fences.js'
import { InOrder } from './in-order.js'
import { SingleFlight } from './single-flight.js'
import { UntoldKeys } from './untold.js'

export interface TieredCacheOptions {
  memory: MemoryTier<Entry> | undefined
  redis: RedisTier | undefined
  /** Milliseconds. */
  ttl: number
  /** Milliseconds; a load that took longer keeps nothing in Redis. */
  longestLoad: number
  /** Wall clock, milliseconds. */
  now: () => number
  onRedisError: (error: unknown) => void
  /** What of a loaded or given value cannot be kept, such as `an instance of User`. */
  onUnsupported: (part: string) => void
}

/** A hundred years, in milliseconds: longer, and Redis cannot count it. */
export const LONGEST_TTL = 100 * 365 * 24 * 60 * 60 * 1_000

const ENTRY_OPTIONS = { ttl: duration(undefined, { max: LONGEST_TTL }) }

/** Memory, then Redis, then the loader. */
export class TieredCache implements Cache {
  readonly #options: TieredCacheOptions
  readonly #memory: MemoryTier<Entry> | undefined
  readonly #flights = new SingleFlight<Entry>()
  readonly #fences = new Fences()
  readonly #untold = new UntoldKeys((key) => this.#tellDelete(key))
  readonly #writes = new InOrder()
  readonly #counts = { memoryHits: 0, redisHits: 0, misses: 0, loads: 0, loadErrors: 0, shared: 0, redisErrors: 0, unreadable: 0, unsupported: 0 }
  #coherence: Coherence | undefined

  constructor (options: TieredCacheOptions) {
    this.#options = options
    this.#memory = options.memory
  }

  /** From now on, memory is trusted only while the messages of the other processes are heard. */
  follow (coherence: Coherence): void {
    this.#coherence = coherence
  }

  getOrSet<T> (key: string, load: Load<T>, options?: CacheEntryOptions): Promise<T> {
    const entry = this.#fromMemory(key)
    return (entry === undefined ? this.#join(key, load, options) : entry.promise()) as Promise<T>
  }

  async get<T> (key: string): Promise<T | undefined> {
    return (await this.#find(key))?.value() as T | undefined
  }

  async has (key: string): Promise<boolean> {
    return await this.#find(key) !== undefined
  }

  async set (key: string, value: unknown, options?: CacheEntryOptions): Promise<WriteResult> {
    checkKey(key)
    const ttl = ttlOf(options) ?? this.#options.ttl
    const own = entryOf(value)
    if ('unsupported' in own) this.#reportUnsupported(own.unsupported)
    if ('unsupported' in own || ttl === 0) return await this.delete(key)
    this.forget(key)
    return await this.#fences.hold(key, 'write', async (fence) => {
      const expiresAt = this.#options.now() + ttl
      const shared = await this.#tellRedis(key, (redis, message) => redis.write(key, own.bytes, { ttl, expiresAt }, message))
      this.#forgetReads(key)
      if (fence.state === 'intact') this.#memory?.set(key, own.entry, own.entry.size, expiresAt)
      return { shared }
    })
  }

  async delete (key: string): Promise<WriteResult> {
    checkKey(key)
    this.forget(key)
    const shared = await this.#tellDelete(key)
    this.#forgetReads(key)
    return { shared }
  }

  /** Drops `key` in this process, and what reads and loads under way would keep of it. */
  forget (key: string): void {
    this.#fences.break(key)
    this.#flights.forget(key)
    this.#memory?.delete(key)
  }

  /** Messages may have been missed: drops everything in this process. */
  forgetAll (): void {
    this.#fences.gap()
    this.#flights.forgetAll()
    this.#memory?.clear()
  }

  stats (): CacheStats {
    return { ...this.#counts, entries: this.#memory?.size ?? 0, bytes: this.#memory?.bytes ?? 0 }
  }

  /** Ends the attempts to tell Redis what it could not be told. */
  close (): void {
    this.#untold.close()
  }

  /** After a write: a read that began before Redis had it may have found, and kept, the old value. */
  #forgetReads (key: string): void {
    this.#fences.breakReads(key)
    this.#flights.forget(key)
    this.#memory?.delete(key)
  }

  #fromMemory (key: string): Entry | undefined {
    const entry = this.#memory?.get(key)
    if (entry === undefined) return undefined
    // Without the others' messages, memory may be older than Redis; with Redis away, it is all there is.
    if (this.#coherence?.listening === false && this.#options.redis?.available === true) return undefined
    this.#counts.memoryHits++
    return entry
  }

  async #find (key: string): Promise<Entry | undefined> {
    checkKey(key)
    const kept = this.#fromMemory(key)
    if (kept !== undefined) return kept
    const found = await this.#fences.hold(key, 'read', async (fence) => (await this.#fromRedis(key, fence)).entry)
    if (found === undefined) this.#counts.misses++
    return found
  }

  async #join (key: string, load: Load<unknown>, options: CacheEntryOptions | undefined): Promise<unknown> {
    checkKey(key)
    if (typeof load !== 'function') throw new LoadError(describe(load))
    const ttl = ttlOf(options) ?? this.#options.ttl
    let flight = this.#flights.get(key)
    if (flight === undefined) {
      flight = this.#flights.start(key, () => this.#fences.hold(key, 'read', (fence) => this.#obtain(key, load, ttl, fence)))
    } else {
      this.#counts.shared++
    }
    const joined = flight
    return (await inSpan('cache wait', () => joined)).value()
  }

  async #obtain (key: string, load: Load<unknown>, ttl: number, fence: Fence): Promise<Entry> {
    // From before the read: the stamp is as old as that.
    const began = this.#options.now()
    const { entry: found, stamp } = await this.#fromRedis(key, fence)
    if (found !== undefined) return found
    this.#counts.misses++
    let lifetime = ttl
    const value = await this.#load(key, load, { ttl: (given) => { lifetime = loadedTtl(given) } })
    const own = entryOf(value)
    if ('unsupported' in own) {
      this.#reportUnsupported(own.unsupported)
      return uncopied(value)
    }
    if (lifetime > 0) await this.#keep(key, own, lifetime, began, stamp, fence)
    return own.entry
  }

  async #load (key: string, load: Load<unknown>, context: LoadContext): Promise<unknown> {
    this.#counts.loads++
    const start = performance.now()
    const elapsed = (): number => performance.now() - start
    try {
      const value = await inSpan('cache load', async () => await load(context))
      loaded.publish(() => ({ key, elapsed: elapsed() }))
      return value
    } catch (error) {
      this.#counts.loadErrors++
      loaded.publish(() => ({ key, elapsed: elapsed(), error }))
      throw error
    }
  }

  async #keep (
    key: string, { entry, bytes }: { entry: Entry, bytes: Uint8Array }, ttl: number, began: number, stamp: Buffer | undefined, fence: Fence
  ): Promise<void> {
    const { redis, longestLoad, now } = this.#options
    const expiresAt = now() + ttl
    if (fence.state === 'broken') return
    if (fence.state === 'intact') this.#memory?.set(key, entry, entry.size, expiresAt)
    // After a gap the stamp decides: Redis knows what this process may have missed.
    if (redis === undefined || stamp === undefined || now() - began > longestLoad) return
    try {
      const kept = await redis.writeIfUnchanged(key, stamp, bytes, { ttl, expiresAt })
      // Another process wrote or deleted this key while we loaded: ours may be the older value.
      if (!kept && fence.state === 'intact') this.#memory?.delete(key)
    } catch (error) {
      this.#redisFailed(error)
    }
  }

  /** @returns what Redis has, and the stamp by which to write behind it; no stamp where Redis did not answer */
  async #fromRedis (key: string, fence: Fence): Promise<{ entry?: Entry, stamp?: Buffer }> {
    const { redis, now } = this.#options
    if (redis === undefined) return {}
    // What stands there is older than what this process did. Redis is told now, and not asked.
    if (this.#untold.has(key)) {
      await this.#tellDelete(key)
      return {}
    }
    let read: RedisRead
    try {
      read = await redis.read(key)
    } catch (error) {
      this.#redisFailed(error)
      return {}
    }
    const { stamp } = read
    if (read.kind === 'unreadable') this.#counts.unreadable++
    if (read.kind !== 'value' || read.expiresAt <= now()) return { stamp }
    let entry: Entry
    try {
      entry = entryFrom(read.bytes)
    } catch {
      this.#counts.unreadable++
      return { stamp }
    }
    this.#counts.redisHits++
    // Not longer than the writer meant, whatever its clock said.
    if (fence.state === 'intact') this.#memory?.set(key, entry, entry.size, Math.min(read.expiresAt, now() + read.ttl))
    return { entry, stamp }
  }

  async #tellDelete (key: string): Promise<boolean> {
    return await this.#tellRedis(key, (redis, message) => redis.delete(key, message))
  }

  async #tellRedis (key: string, write: (redis: RedisTier, message: string) => Promise<void>): Promise<boolean> {
    const { redis } = this.#options
    const coherence = this.#coherence
    if (redis === undefined || coherence === undefined) return false
    // In order, whatever a write has to wait for: a set must not come to Redis after the delete that followed it.
    return await this.#writes.run(key, () => this.#untold.track(key, async () => {
      try {
        await write(redis, coherence.messageFor(key))
        return true
      } catch (error) {
        this.#redisFailed(error)
        this.#untold.add(key)
        return false
      }
    }))
  }

  #redisFailed (error: unknown): void {
    // Known to the host already, by its client's own events; counted, it would drown what is new.
    if (error instanceof UnavailableError) return
    this.#counts.redisErrors++
    this.#options.onRedisError(error)
    redisFailed.publish(() => ({ error }))
  }

  #reportUnsupported (part: string): void {
    this.#counts.unsupported++
    this.#options.onUnsupported(part)
  }
}

function checkKey (key: string): void {
  if (typeof key !== 'string' || key === '') throw new KeyError(describe(key))
}

function ttlOf (options: CacheEntryOptions | undefined): number | undefined {
  return options === undefined ? undefined : resolveOptions(ENTRY_OPTIONS, options, 'options', OptionError).ttl
}

function loadedTtl (given: Duration): number {
  const ttl = ENTRY_OPTIONS.ttl.read(given)
  if (ttl === undefined || ttl === INVALID) throw new OptionError(`ttl() in a load: expected ${ENTRY_OPTIONS.ttl.expected}, got ${describe(given)}`)
  return ttl
}
