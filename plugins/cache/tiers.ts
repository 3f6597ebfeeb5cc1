import type { MemoryTier } from '../shared/memory-tier.js'
import { UnavailableError } from '../shared/redis-commands.js'
import { ANY_TAG, EVERYTHING } from '../shared/redis-tags.js'
import type { RedisTier } from '../shared/redis-tier.js'
import type { Held, TagGeneration } from '../shared/tier.js'
import type { CacheStats, WriteResult } from './api.js'
import { pack } from './body.js'
import { redisFailed } from './channels.js'
import type { Coherence } from './coherence.js'
import type { Entry } from './entry.js'
import { Fences, type Fence } from './fences.js'
import { Finding, type Found } from './finding.js'
import type { Lifetime } from './freshness.js'
import { Generations, type Snapshot } from './generations.js'
import { Kept } from './kept.js'
import type { Messages } from './messages.js'
import { Tags } from './tags.js'
import { Telling, type Doubts } from './telling.js'

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

/** A value to be kept, in the form for each tier. */
export interface Keepable {
  readonly fence: Fence
  readonly stamp: Buffer | undefined
  /** Under which it was loaded, if it was, with what to tell when it ends. */
  readonly lease?: { readonly token: string, readonly message: string } | undefined
  readonly held: Held<Entry>
  readonly bytes: Uint8Array
  /** Wall-clock milliseconds before the read that the stamp is from. */
  readonly began: number
  readonly snapshot: Snapshot
}

/** A value as the cache keeps it, in memory and serialised. */
export interface Own {
  readonly entry: Entry
  readonly bytes: Uint8Array
}

/** Memory and Redis as one: what was deleted, overwritten or invalidated comes back from neither. */
export class Tiers {
  readonly tags = new Tags()
  readonly fences = new Fences()
  readonly generations: Generations
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
    this.generations = new Generations({ redis, tags: this.tags, telling: this.#telling, now, onRedisError })
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

  /** At that time there was the same Redis as before. @param at on the clock of `performance.now` */
  confirm (at: number): void {
    this.#telling.confirm(at)
  }

  /** Another server has taken the place of the Redis that was told what this process wrote. */
  tellAgain (): void {
    const { keys, tags } = this.#telling.tellAgain()
    // What was read of that server till now may be from before.
    for (const key of keys) this.forget(key)
    if (tags.length > 0) this.forgetTags(tags)
  }

  /** Ends the attempts to tell Redis what it could not be told. */
  close (): void {
    this.#telling.close()
  }

  /** What memory has, fresh or stale, if it can be trusted. */
  recall (key: string, now?: number): Kept | undefined {
    const kept = this.#memory?.get(key, now) as Kept | undefined
    if (kept === undefined || this.tags.voids(kept)) return undefined
    // Without the others' messages, memory may be older than Redis; with Redis away, it is all there is.
    return this.isDeaf ? undefined : kept
  }

  /** What Redis has, fresh or stale; kept in memory too. See `Finding`. */
  find (fences: readonly Fence[], named: readonly string[], maxBytes: number): Promise<readonly Found[]> {
    return this.#finding.find(fences, named, maxBytes)
  }

  /** Keeps what was loaded where nothing newer has come meanwhile. @returns the keys whose leases have ended with that */
  async keep (loaded: readonly Keepable[]): Promise<readonly string[]> {
    const { redis } = this.#options
    const forRedis = loaded.filter((one) => {
      const { fence, held, snapshot } = one
      // Void already, it would only stand in the place of what was loaded since.
      if (this.generations.voids(snapshot)) return false
      if (fence.state === 'intact') this.#remember(fence, new Kept(held.value, held))
      return this.#mayGoToRedis(one)
    })
    if (redis === undefined || forRedis.length === 0) return []
    const packed = await Promise.all(forRedis.map(async ({ bytes }) => await pack(bytes, this.#options.compressAbove)))
    // While it was compressed, this process may have done something newer.
    const writes = forRedis.flatMap((one, index) =>
      this.#mayGoToRedis(one) ? [{ fence: one.fence, key: one.fence.key, stamp: one.stamp!, lease: one.lease, held: { ...one.held, value: packed[index]! } }] : [])
    const results = await redis.writeIfUnchanged(writes)
    results.forEach((result, index) => {
      const { fence } = writes[index]!
      // Another process wrote or deleted this key while we loaded: ours may be the older value.
      if (result.status === 'fulfilled' && !result.value && fence.state === 'intact') this.#memory?.delete(fence.key)
    })
    const failure = results.find((result) => result.status === 'rejected')
    if (failure !== undefined) this.redisFailed(failure.reason)
    return writes.filter((_write, index) => results[index]!.status === 'fulfilled').map(({ key }) => key)
  }

  /** Keeps what was loaded anew, in the place of what is kept: where that cannot be, nothing is. Others are told as of a `set`. */
  async keepAnew (loaded: Keepable): Promise<void> {
    const { fence, held, snapshot } = loaded
    if (fence.state === 'broken' || fence.state === 'overtaken') return
    if (this.generations.voids(snapshot) || !this.#mayGoToRedis(loaded)) {
      if (this.#options.redis !== undefined || fence.state !== 'intact') await this.delete(fence.key)
      else this.#remember(fence, new Kept(held.value, held))
      return
    }
    await this.#replace(loaded)
  }

  /** Keeps this, whatever stands there. */
  async set (key: string, own: Own, named: readonly string[], lifetime: Lifetime): Promise<WriteResult> {
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
          await redis.delete(key)
          return
        }
        tags = snapshot.tags
        await redis.set(key, { ...held, tags, value: await pack(own.bytes, this.#options.compressAbove) })
      })
      tags ??= this.generations.local(named)
      this.#forgetReads(key)
      if (fence.state === 'intact' && !this.#anyInvalidated(named, began)) this.#memory?.set(key, new Kept(own.entry, { ...held, tags }))
      return { shared }
    })
  }

  /**
   * Keeps what `save` has brought to the source, and gives, if that can be kept. What was kept before is gone when the save
   * begins. Where anybody else wrote meanwhile, nobody knows whose value the source has: then it is deleted again, and
   * loaded by whoever asks next.
   *
   * @param retention milliseconds that the value will be kept
   */
  async setAfter (
    key: string, named: readonly string[], save: () => Promise<({ readonly own: Own } & Lifetime) | undefined>, retention: number
  ): Promise<WriteResult> {
    this.forget(key)
    return await this.fences.hold(key, 'write', async (fence) => {
      const began = this.#options.now()
      const [stamp, snapshot] = await Promise.all([this.#telling.bar(key), this.generations.snapshot(named, retention)])
      // One without end is waited for by its caller alone.
      const tooLong = setTimeout(() => { this.fences.late(fence) }, this.#options.longestLoad).unref()
      const saved = await save().catch(async (error: unknown) => {
        // It may have come to the source all the same.
        await this.#deleteAfter(key, stamp)
        throw error
      }).finally(() => { clearTimeout(tooLong) })
      if (fence.state !== 'intact' || saved === undefined) return await this.#deleteAfter(key, stamp)
      this.#forgetReads(key)
      const { own: { entry, bytes }, freshUntil, keptUntil } = saved
      const held = { value: entry, freshUntil, keptUntil, loadTime: 0, tags: snapshot.tags }
      if (this.#options.redis === undefined) {
        this.#memory?.set(key, new Kept(entry, held))
        return { shared: false }
      }
      const keepable = { fence, stamp, held, bytes, began, snapshot }
      return this.#mayGoToRedis(keepable) ? await this.#replace(keepable) : await this.#deleteAfter(key, stamp)
    })
  }

  /** @param stamp of the delete before it; where Redis could not be told of that, it is told in the background: nobody waits twice */
  async #deleteAfter (key: string, stamp: Buffer | undefined): Promise<WriteResult> {
    if (stamp !== undefined || this.#options.redis === undefined) return await this.delete(key)
    this.forget(key)
    this.#telling.owe(key)
    return { shared: false }
  }

  async delete (key: string): Promise<WriteResult> {
    this.forget(key)
    const shared = await this.#telling.delete(key)
    this.#forgetReads(key)
    return { shared }
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
  #forgetReads (key: string, writer?: Fence): void {
    this.fences.breakReads(key, writer)
    this.#memory?.delete(key)
    this.#options.onForgotten({ key })
  }

  /** In memory, in the place of what other reads that are still under way may bring: this is newer. */
  #remember (fence: Fence, kept: Kept): void {
    this.fences.breakReads(fence.key, fence)
    this.#memory?.set(fence.key, kept)
  }

  /** In both tiers, if nothing has been written since the stamp; else in neither. */
  async #replace (keepable: Keepable): Promise<WriteResult> {
    const { fence, stamp, held, bytes } = keepable
    const { key } = fence
    let replaced = false
    const shared = await this.#telling.write(key, async (redis) => {
      const value = await pack(bytes, this.#options.compressAbove)
      if (this.#mayGoToRedis(keepable)) replaced = await redis.replace(key, stamp!, { ...held, value })
      else await redis.delete(key)
    })
    this.#forgetReads(key, fence)
    if (replaced && fence.state === 'intact') this.#memory?.set(key, new Kept(held.value, held))
    return { shared }
  }

  /** After a gap the stamp decides: Redis knows what this process may have missed. */
  #mayGoToRedis ({ fence: { state }, stamp, snapshot, began }: Keepable): boolean {
    const { now, longestLoad } = this.#options
    return (state === 'intact' || state === 'gap') && stamp !== undefined && snapshot.any !== undefined && now() - began <= longestLoad
  }

  #anyInvalidated (named: readonly string[], since: number): boolean {
    return this.generations.anyInvalidated([EVERYTHING, ...named], since)
  }

  redisFailed (error: unknown): void {
    // Known to the host already, by its client's own events; counted, it would drown what is new.
    if (error instanceof UnavailableError) return
    this.counts.redisErrors++
    this.#options.onRedisError(error)
    redisFailed.publish(() => ({ error }))
  }
}
