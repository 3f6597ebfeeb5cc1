import { pack } from '../shared/body.js'
import type { Entry } from '../shared/entry.js'
import type { MemoryTier } from '../shared/memory-tier.js'
import { UnavailableError } from '../shared/redis-commands.js'
import { ANY_TAG, EVERYTHING } from '../shared/redis-tags.js'
import type { RedisTier } from '../shared/redis-tier.js'
import type { TagGeneration } from '../shared/tier.js'
import type { Prepared } from './admission.js'
import type { CacheStats, WriteResult } from './api.js'
import { redisFailed } from './channels.js'
import type { Coherence } from './coherence.js'
import { Fences, type Fence } from './fences.js'
import { Finding, type Found } from './finding.js'
import type { Lifetime } from './freshness.js'
import { Generations } from './generations.js'
import { Keeping } from './keeping.js'
import { Kept } from './kept.js'
import type { Messages } from './messages.js'
import { Tags } from './tags.js'
import { Telling, type Doubts, type NameFilter } from './telling.js'

export interface TiersOptions {
  memory: MemoryTier<Entry> | undefined
  redis: RedisTier | undefined
  messages: Messages
  /** Bytes above which what goes to Redis is compressed. */
  compressAbove: number
  /** Milliseconds; a load that took longer keeps nothing in Redis. */
  longestLoad: number
  /** Wall clock, milliseconds. */
  now: () => number
  onRedisError: (error: unknown) => void
  /** Whoever waits for one of these waits for something outdated. */
  onForgotten: (outdated: Outdated) => void
}

export type Outdated = { readonly key: string } | { readonly tags: ReadonlySet<string> } | 'everything'

/** Memory and Redis as one: what was deleted, overwritten or invalidated comes back from neither. */
export class Tiers {
  readonly tags = new Tags()
  readonly fences = new Fences()
  readonly generations: Generations
  readonly keeping: Keeping
  readonly counts = { memoryHits: 0, redisHits: 0, redisErrors: 0 }
  readonly #options: TiersOptions
  readonly #memory: MemoryTier<Entry> | undefined
  readonly #telling: Telling
  readonly #finding: Finding
  #coherence: Coherence | undefined
  #doubts: Doubts | undefined

  constructor (options: TiersOptions) {
    const { redis, messages, now } = options
    const onRedisError = (error: unknown): void => { this.redisFailed(error) }
    this.#options = options
    this.#memory = options.memory
    this.#telling = new Telling({ redis, messages, tags: this.tags, onRedisError, doubts: { ofKey: (key) => this.#doubts?.ofKey(key), ofTag: (tag) => this.#doubts?.ofTag(tag) } })
    this.generations = new Generations({ redis, tags: this.tags, telling: this.#telling, now, onRedisError, listening: () => this.listening })
    this.keeping = new Keeping({ ...options, tiers: this, telling: this.#telling })
    this.#finding = new Finding({ redis, memory: this.#memory, tags: this.tags, generations: this.generations, telling: this.#telling, now, onRedisError })
  }

  /** From now on, memory is trusted only while the messages of the other processes are heard, and Redis while it is the same. */
  follow (coherence: Coherence, doubts: Doubts): void {
    this.#coherence = coherence
    this.#doubts = doubts
  }

  /** Whether the other processes are heard now. */
  get listening (): boolean {
    return this.#coherence?.listening === true
  }

  /** Whether Redis answers, and what the other processes tell through it is not heard. */
  get isDeaf (): boolean {
    return this.#coherence?.listening === false && this.#options.redis?.available === true
  }

  get stats (): Pick<CacheStats, 'memoryHits' | 'redisHits' | 'redisErrors' | 'unreadable' | 'entries' | 'bytes'> {
    return { ...this.counts, unreadable: this.#finding.unreadable, entries: this.#memory?.size ?? 0, bytes: this.#memory?.bytes ?? 0 }
  }

  /** Redis answers again. */
  recovered (): void {
    this.#telling.recovered()
  }

  /** At that time there was the same Redis as before. @param at on the clock of `performance.now` @param meant which servers; without it all */
  confirm (at: number, meant?: NameFilter): void {
    this.#telling.confirm(at, meant)
  }

  /** Another server has taken the place of the Redis that was told what this process wrote. @param meant which names those are of that it answers for */
  tellAgain (meant: NameFilter): void {
    const { keys, tags } = this.#telling.tellAgain(meant)
    // What was read of that server till now may be from before.
    for (const key of keys) this.forget(key)
    if (tags.length > 0) this.forgetTags(tags)
  }

  /** Ends the attempts to tell Redis what it could not be told. */
  close (): void {
    this.#telling.close()
  }

  /** What memory has, fresh or stale, if it can be trusted. */
  recall (key: string, now = this.#options.now()): Kept | undefined {
    const kept = this.#memory?.get(key, now) as Kept | undefined
    if (kept === undefined || this.tags.voids(kept)) return undefined
    // Without the others' messages, memory may be older than Redis; with Redis away, it is all there is.
    return this.#coherence?.listensAt(now) === false && this.#options.redis?.available === true ? undefined : kept
  }

  /** What Redis has, fresh or stale; kept in memory too. See `Finding`. */
  find (fences: readonly Fence[], named: readonly string[], maxBytes: number): Promise<readonly Found[]> {
    return this.#finding.find(fences, named, maxBytes)
  }

  /** Keeps this, whatever stands there. */
  async set (key: string, own: Prepared, named: readonly string[], lifetime: Lifetime): Promise<WriteResult> {
    this.forget(key)
    const began = this.tags.moment()
    return await this.fences.hold(key, 'write', async (fence) => {
      const held = { ...lifetime, value: own.entry, loadTime: 0 }
      const retention = lifetime.keptUntil - this.#options.now()
      let tags: readonly TagGeneration[] | undefined
      const shared = await this.#telling.overwrite(key, async (redis) => {
        const snapshot = await this.generations.snapshot(named, retention)
        // Invalidated meanwhile: which of the two came first is for the invalidation to say.
        if (snapshot.any === undefined || this.#anyInvalidated(named, began)) {
          // Nobody waits twice for a Redis that does not answer.
          if (redis.isFailing(key)) throw NOT_ASKED
          await redis.delete(key)
          return
        }
        tags = snapshot.tags
        await redis.set(key, { ...held, tags, value: await pack(own.bytes, this.#options.compressAbove) })
      })
      tags ??= this.generations.local(named)
      this.forgetReads(key)
      if (fence.state === 'intact' && !this.#anyInvalidated(named, began)) this.#memory?.set(key, new Kept(own.entry, { ...held, tags }))
      return { shared }
    })
  }

  async delete (key: string): Promise<WriteResult> {
    this.forget(key)
    const shared = await this.#telling.delete(key)
    this.forgetReads(key)
    return { shared }
  }

  /** What is kept is outdated. Where Redis did not answer just now it is told later: nobody waits for it twice. */
  async outdate (key: string): Promise<WriteResult> {
    if (this.#options.redis?.isFailing(key) !== true) return await this.delete(key)
    this.forget(key)
    this.#telling.deleteLater(key)
    return { shared: false }
  }

  async invalidate (tags: readonly string[]): Promise<WriteResult> {
    if (tags.length === 0) return { shared: this.#options.redis !== undefined }
    this.forgetTags(tags)
    const shared = await this.#telling.invalidate(tags)
    // A read that began before Redis had it may have learnt, and trusted, the old generation.
    if (this.#options.redis !== undefined) this.forgetTags(tags)
    return { shared }
  }

  /** Drops `key` in this process, and what reads and loads under way would keep of it. */
  forget (key: string): void {
    this.fences.break(key)
    this.#memory?.delete(key)
    this.#options.onForgotten({ key })
  }

  forgetTags (tags: readonly string[]): void {
    this.tags.invalidate([ANY_TAG, ...tags])
    if (!tags.includes(EVERYTHING)) return this.#options.onForgotten({ tags: new Set(tags) })
    this.fences.breakAll()
    this.#memory?.clear()
    this.#options.onForgotten('everything')
  }

  /** Messages may have been missed: drops everything in this process. */
  forgetAll (): void {
    this.fences.gap()
    this.tags.forget()
    this.#memory?.clear()
    this.#options.onForgotten('everything')
  }

  /** After a write: a read that began before Redis had it may have found, and kept, the old value. */
  forgetReads (key: string, writer?: Fence): void {
    this.fences.breakReads(key, writer)
    this.#memory?.delete(key)
    this.#options.onForgotten({ key })
  }

  redisFailed (error: unknown): void {
    // One that was not even sent: counted, it would drown what is new.
    if (error instanceof UnavailableError) return
    this.counts.redisErrors++
    this.#options.onRedisError(error)
    redisFailed.publish(() => ({ error }))
  }

  #anyInvalidated (named: readonly string[], since: number): boolean {
    return this.generations.anyInvalidated([EVERYTHING, ...named], since)
  }
}

const NOT_ASKED = new UnavailableError('Redis has not answered just now')
