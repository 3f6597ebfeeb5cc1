import type { MemoryTier } from '../shared/memory-tier.js'
import { UnavailableError } from '../shared/redis-commands.js'
import { ANY_TAG, EVERYTHING } from '../shared/redis-tags.js'
import type { RedisState, RedisTier } from '../shared/redis-tier.js'
import type { Held, TagGeneration } from '../shared/tier.js'
import type { WriteResult } from './api.js'
import { pack, unpack } from './body.js'
import { redisFailed, unreadable } from './channels.js'
import type { Coherence } from './coherence.js'
import { entryFrom, type Entry } from './entry.js'
import { Fences, type Fence } from './fences.js'
import type { Lifetime } from './freshness.js'
import { InOrder } from './in-order.js'
import { Kept } from './kept.js'
import type { Messages } from './messages.js'
import { Tags, type Moment } from './tags.js'
import { Untold } from './untold.js'

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

/** What a key's read brought, if it brought anything that is not void. */
export interface Found {
  readonly kept?: Kept | undefined
  /** By which to write behind what was read; none where Redis did not answer. */
  readonly stamp?: Buffer
}

const NOTHING: Found = {}

/** The generations of the tags that a load's value will depend on, from before the load. */
export interface Snapshot {
  readonly taken: Moment
  readonly tags: readonly TagGeneration[]
  /** That of any tag; undefined where Redis has no part in it, and so gets no value either. */
  readonly any: string | undefined
}

/** A value to be kept, in the form for each tier. */
export interface Keepable {
  readonly fence: Fence
  readonly stamp: Buffer | undefined
  readonly held: Held<Entry>
  readonly bytes: Uint8Array
  /** Wall-clock milliseconds before the read that the stamp is from. */
  readonly began: number
  readonly snapshot: Snapshot
  /** Whether what another process wrote meanwhile, which may be older, is to be deleted. */
  readonly firm: boolean
}

/** A value as the cache keeps it, in memory and serialised. */
export interface Own {
  readonly entry: Entry
  readonly bytes: Uint8Array
}

/** Milliseconds that the generation of a tag stands in Redis at least. */
const TAG_LIFETIME = 24 * 60 * 60 * 1_000

/** Memory and Redis as one: what was deleted, overwritten or invalidated comes back from neither. */
export class Tiers {
  readonly tags = new Tags()
  readonly fences = new Fences()
  readonly counts = { memoryHits: 0, redisHits: 0, redisErrors: 0, unreadable: 0 }
  readonly #options: TiersOptions
  readonly #memory: MemoryTier<Entry> | undefined
  readonly #writes = new InOrder()
  readonly #untoldKeys = new Untold((key) => this.#tellDelete(key), () => { this.#tooMuchUntold() })
  readonly #untoldTags = new Untold((tag) => this.#tellInvalidation([tag]), () => { this.#tooMuchUntold() })
  #coherence: Coherence | undefined

  constructor (options: TiersOptions) {
    this.#options = options
    this.#memory = options.memory
  }

  /** From now on, memory is trusted only while the messages of the other processes are heard. */
  follow (coherence: Coherence): void {
    this.#coherence = coherence
  }

  get memory (): { entries: number, bytes: number } {
    return { entries: this.#memory?.size ?? 0, bytes: this.#memory?.bytes ?? 0 }
  }

  /** Ends the attempts to tell Redis what it could not be told. */
  close (): void {
    this.#untoldKeys.close()
    this.#untoldTags.close()
  }

  /** What memory has, fresh or stale, if it can be trusted. */
  recall (key: string, now = this.#options.now()): Kept | undefined {
    const kept = this.#memory?.get(key, now) as Kept | undefined
    if (kept === undefined || this.tags.voids(kept)) return undefined
    // Without the others' messages, memory may be older than Redis; with Redis away, it is all there is.
    if (this.#coherence?.listening === false && this.#options.redis?.available === true) return undefined
    return kept
  }

  /**
   * What Redis has, fresh or stale; kept in memory too.
   *
   * @param named tags that the values are likely to have
   * @param maxBytes of a value, serialised; a larger one is a miss
   * @returns in the order of the fences
   */
  async find (fences: readonly Fence[], named: readonly string[], maxBytes: number): Promise<readonly Found[]> {
    const { redis } = this.#options
    if (redis === undefined) return fences.map(() => NOTHING)
    // What stands there is older than what this process did. Redis is told now, and not believed.
    const untold = new Set(fences.filter(({ key }) => this.#untoldKeys.has(key)))
    if (untold.size > 0) await Promise.all([...untold].map(({ key }) => this.#tellDelete(key)))
    if (untold.size === fences.length) return fences.map(() => NOTHING)
    const asked = this.tags.moment()
    const tags = [EVERYTHING, ...named]
    try {
      const { states, generations } = await redis.read(fences.map(({ key }) => key), tags)
      this.#learn(tags, generations, asked)
      let later = false
      const found = fences.map((fence, index): Found | Promise<Found> => {
        if (untold.has(fence)) return NOTHING
        const { opened, stamp } = states[index]!
        const kept = this.#keptFrom(opened, fence, tags, maxBytes)
        if (!(kept instanceof Promise)) return { stamp, kept }
        later = true
        return this.#foundLater(kept, stamp)
      })
      return later ? await Promise.all(found.map(async (one) => await one)) : found as Found[]
    } catch (error) {
      this.#failed(error)
      return fences.map(() => NOTHING)
    }
  }

  /** One that cannot be had takes nothing with it. */
  async #foundLater (kept: Promise<Kept | undefined>, stamp: Buffer): Promise<Found> {
    try {
      return { stamp, kept: await kept }
    } catch (error) {
      this.#failed(error)
      return NOTHING
    }
  }

  /** The generations that a value loaded from now on will depend on. @param retention milliseconds that it will be kept */
  async snapshot (named: readonly string[], retention: number): Promise<Snapshot> {
    const { redis } = this.#options
    if (redis?.available !== true) return this.#localSnapshot(named)
    const established = await this.#establish([EVERYTHING, ANY_TAG, ...named], retention)
    if (established === undefined) return this.#localSnapshot(named)
    const [everything, any, ...tags] = established.tags
    return { taken: established.taken, any: any!.generation, tags: [everything!, ...tags] }
  }

  /**
   * Adds tags that were named only in the course of the load, with their generations from before it.
   *
   * @returns undefined when these cannot be known any more; then the value is not to be kept
   */
  async withTags (snapshot: Snapshot, more: readonly string[], retention: number): Promise<Snapshot | undefined> {
    const { taken, any } = snapshot
    if (more.some((tag) => this.tags.invalidatedSince(tag, taken))) return undefined
    if (any === undefined) return { ...snapshot, tags: [...snapshot.tags, ...this.#localPairs(more)] }
    const unknown = more.filter((tag) => this.tags.knownBefore(tag, taken) === undefined)
    if (unknown.length > 0) {
      const established = await this.#establish(unknown, retention)
      // Read after them: while it stands, so did theirs since before the load.
      if (established === undefined || !await this.#isAnyTagStill(any)) return undefined
      if (more.some((tag) => this.tags.invalidatedSince(tag, taken))) return undefined
    }
    return { ...snapshot, tags: [...snapshot.tags, ...this.#localPairs(more)] }
  }

  /** Keeps what was loaded where nothing newer has come meanwhile. */
  async keep (loaded: readonly Keepable[]): Promise<void> {
    const { redis, longestLoad, now } = this.#options
    const forRedis = loaded.filter(({ fence, held, stamp, snapshot, began }) => {
      // Void already, it would only stand in the place of what was loaded since.
      if (snapshot.tags.some(({ tag }) => this.tags.invalidatedSince(tag, snapshot.taken))) return false
      if (fence.state === 'intact') this.#memory?.set(fence.key, new Kept(held.value, held))
      // After a gap the stamp decides: Redis knows what this process may have missed.
      return mayBeKept(fence) && stamp !== undefined && snapshot.any !== undefined && now() - began <= longestLoad
    })
    if (redis === undefined || forRedis.length === 0) return
    const packed = await Promise.all(forRedis.map(async ({ held, bytes }) => ({ ...held, value: await pack(bytes, this.#options.compressAbove) })))
    // While it was compressed, this process may have done something newer.
    const writes = forRedis.flatMap(({ fence, stamp, firm }, index) =>
      !mayBeKept(fence) ? [] : [{ fence, firm, key: fence.key, stamp: stamp!, held: packed[index]! }])
    const results = await redis.writeIfUnchanged(writes)
    await Promise.all(results.map(async (result, index) => {
      const { fence, firm } = writes[index]!
      // Another process wrote or deleted this key while we loaded: ours may be the older value.
      if (result.status === 'rejected' || result.value || !mayBeKept(fence)) return
      if (firm) await this.delete(fence.key)
      else if (fence.state === 'intact') this.#memory?.delete(fence.key)
    }))
    const failure = results.find((result) => result.status === 'rejected')
    if (failure !== undefined) this.#failed(failure.reason)
  }

  /** Keeps this, whatever stands there. */
  async set (key: string, own: Own, named: readonly string[], lifetime: Lifetime): Promise<WriteResult> {
    this.forget(key)
    const began = this.tags.moment()
    return await this.fences.hold(key, 'write', async (fence) => {
      const held = { ...lifetime, value: own.entry, loadTime: 0 }
      const retention = lifetime.keptUntil - this.#options.now()
      let tags: readonly TagGeneration[] | undefined
      const told = await this.#tell([key], this.#untoldKeys, key, async (redis) => {
        const snapshot = await this.snapshot(named, retention)
        // Invalidated meanwhile: which of the two came first is for the invalidation to say.
        if (snapshot.any === undefined || this.#anyInvalidated(named, began)) {
          await redis.delete(key)
          return
        }
        tags = snapshot.tags
        await redis.set(key, { ...held, tags, value: await pack(own.bytes, this.#options.compressAbove) })
      })
      const shared = told && tags !== undefined
      tags ??= this.#localPairs(named)
      this.#forgetReads(key)
      if (fence.state === 'intact' && !this.#anyInvalidated(named, began)) this.#memory?.set(key, new Kept(own.entry, { ...held, tags }))
      return { shared }
    })
  }

  /**
   * Keeps what `save` has brought to the source, and gives, if that can be kept. Nobody has a value while it is being saved; and
   * where anybody else wrote meanwhile, nobody knows whose value the source has: then it is deleted again, and loaded by
   * whoever asks next.
   *
   * @param retention milliseconds that the value will be kept
   */
  async setAfter (
    key: string, named: readonly string[], save: () => Promise<({ readonly own: Own } & Lifetime) | undefined>, retention: number
  ): Promise<WriteResult> {
    this.forget(key)
    return await this.fences.hold(key, 'write', async (fence) => {
      const { redis, now, longestLoad, compressAbove } = this.#options
      const began = now()
      const [stamp, snapshot] = await Promise.all([this.#bar(key), this.snapshot(named, retention)])
      const saved = await save().catch(async (error: unknown) => {
        // It may have come to the source all the same.
        await this.delete(key)
        throw error
      })
      if (fence.state !== 'intact' || saved === undefined) return await this.delete(key)
      this.#forgetReads(key)
      const held = { freshUntil: saved.freshUntil, keptUntil: saved.keptUntil, loadTime: 0, tags: snapshot.tags }
      const kept = new Kept(saved.own.entry, held)
      if (redis === undefined) {
        this.#memory?.set(key, kept)
        return { shared: false }
      }
      if (stamp === undefined || snapshot.any === undefined || now() - began > longestLoad) return await this.delete(key)
      let replaced = false
      const shared = await this.#tell([key], this.#untoldKeys, key, async () => {
        replaced = await redis.replace(key, stamp, { ...held, value: await pack(saved.own.bytes, compressAbove) })
      })
      this.#forgetReads(key)
      if (replaced && fence.state === 'intact') this.#memory?.set(key, kept)
      return { shared }
    })
  }

  async delete (key: string): Promise<WriteResult> {
    this.forget(key)
    const shared = await this.#tellDelete(key)
    this.#forgetReads(key)
    return { shared }
  }

  async invalidate (tags: readonly string[]): Promise<WriteResult> {
    if (tags.length > 0) this.forgetTags(tags)
    if (this.#options.redis === undefined || tags.length === 0) return { shared: this.#options.redis !== undefined }
    const shared = await this.#tellInvalidation(tags)
    // A read that began before Redis had it may have learnt, and trusted, the old generation.
    this.forgetTags(tags)
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
  #forgetReads (key: string): void {
    this.fences.breakReads(key)
    this.#memory?.delete(key)
    this.#options.onForgotten({ key })
  }

  /** At once where nothing has to be waited for, as on most hits. */
  #keptFrom (opened: RedisState['opened'], fence: Fence, asked: readonly string[], maxBytes: number): Kept | undefined | Promise<Kept | undefined> {
    if (opened.kind === 'unreadable') this.#unreadable(fence.key)
    if (opened.kind !== 'value' || opened.held.keptUntil <= this.#options.now()) return undefined
    const { held } = opened
    try {
      const body = unpack(held.value, maxBytes)
      const known = held.tags.every(({ tag }) => asked.includes(tag))
      if (known && !(body instanceof Promise)) return this.#received(held, entryFrom(body), fence)
      return this.#keptLater(held, body, asked, fence)
    } catch {
      return this.#unreadable(fence.key)
    }
  }

  async #keptLater (held: Held<Uint8Array>, body: Uint8Array | Promise<Uint8Array>, asked: readonly string[], fence: Fence): Promise<Kept | undefined> {
    let entry: Entry
    try {
      entry = entryFrom(await body)
    } catch {
      return this.#unreadable(fence.key)
    }
    // The tags that the call had not named.
    const more = held.tags.map(({ tag }) => tag).filter((tag) => !asked.includes(tag))
    if (more.length > 0) {
      const moment = this.tags.moment()
      this.#learn(more, await this.#options.redis!.tags.read(more), moment)
    }
    return this.#received(held, entry, fence)
  }

  #anyInvalidated (named: readonly string[], since: Moment): boolean {
    return [EVERYTHING, ...named].some((tag) => this.tags.invalidatedSince(tag, since))
  }

  #received (held: Held<Uint8Array>, value: Entry, fence: Fence): Kept | undefined {
    const kept = new Kept(value, held)
    if (this.tags.voids(kept)) return undefined
    if (fence.state === 'intact') this.#memory?.set(fence.key, kept)
    return kept
  }

  #learn (tags: readonly string[], generations: ReadonlyArray<string | undefined>, asked: Moment, lastsUntil?: number): void {
    tags.forEach((tag, index) => {
      // Redis has not been told yet that this one is void.
      if (!this.#untoldTags.has(tag)) this.tags.learn(tag, generations[index], asked, lastsUntil)
    })
  }

  /** @returns the generations, made anew where missing, and when that was; or undefined where Redis cannot say */
  async #establish (tags: readonly string[], retention: number): Promise<Pick<Snapshot, 'taken' | 'tags'> | undefined> {
    const { redis, now } = this.#options
    const until = now() + retention
    const missing = tags.filter((tag) => !this.tags.lasts(tag, until))
    if (missing.length > 0) {
      const lifetime = 2 * Math.max(TAG_LIFETIME, retention)
      try {
        const untold = missing.filter((tag) => this.#untoldTags.has(tag))
        if (untold.length > 0 && !await this.#tellInvalidation(untold)) return undefined
        const asked = this.tags.moment()
        this.#learn(missing, await redis!.tags.establish(missing, lifetime), asked, now() + lifetime / 2)
      } catch (error) {
        this.#failed(error)
        return undefined
      }
    }
    return { tags: this.#localPairs(tags), taken: this.tags.moment() }
  }

  /** Deletes the key in Redis. @returns the stamp of that, by which to write in its place; none where Redis could not be told */
  async #bar (key: string): Promise<Buffer | undefined> {
    let stamp: Buffer | undefined
    await this.#tell([key], this.#untoldKeys, key, async (redis) => { stamp = await redis.delete(key) })
    return stamp
  }

  async #isAnyTagStill (generation: string): Promise<boolean> {
    const asked = this.tags.moment()
    try {
      const [current] = await this.#options.redis!.tags.read([ANY_TAG])
      this.#learn([ANY_TAG], [current], asked)
      return current === generation
    } catch (error) {
      this.#failed(error)
      return false
    }
  }

  #localSnapshot (named: readonly string[]): Snapshot {
    return { taken: this.tags.moment(), any: undefined, tags: this.#localPairs(named) }
  }

  #localPairs (tags: readonly string[]): TagGeneration[] {
    return tags.map((tag) => ({ tag, generation: this.tags.current(tag) }))
  }

  async #tellDelete (key: string): Promise<boolean> {
    return await this.#tell([key], this.#untoldKeys, key, async (redis) => { await redis.delete(key) })
  }

  async #tellInvalidation (tags: readonly string[]): Promise<boolean> {
    const told = await this.#tell(tags, this.#untoldTags, undefined, (redis) => redis.tags.invalidate(tags, this.#options.messages.ofTags(tags)))
    // An answer of Redis from before may still be on its way, and is not to be believed.
    if (told) this.tags.invalidate(tags)
    return told
  }

  /** @param inOrderOf a key whose writes come to Redis in order, whatever each has to wait for: a set not after the delete that followed it */
  async #tell (names: readonly string[], untold: Untold, inOrderOf: string | undefined, write: (redis: RedisTier) => Promise<void>): Promise<boolean> {
    const { redis } = this.#options
    if (redis === undefined || this.#coherence === undefined) return false
    const attempt = async (): Promise<boolean> => await untold.track(names, async () => {
      try {
        await write(redis)
        return true
      } catch (error) {
        this.#failed(error)
        untold.add(names)
        return false
      }
    })
    return inOrderOf === undefined ? await attempt() : await this.#writes.run(inOrderOf, attempt)
  }

  /** More than can be remembered one by one: Redis is to be cleared. */
  #tooMuchUntold (): void {
    this.tags.invalidate([EVERYTHING])
    this.#untoldTags.add([EVERYTHING])
  }

  #unreadable (key: string): undefined {
    this.counts.unreadable++
    unreadable.publish(() => ({ key }))
  }

  #failed (error: unknown): void {
    // Known to the host already, by its client's own events; counted, it would drown what is new.
    if (error instanceof UnavailableError) return
    this.counts.redisErrors++
    this.#options.onRedisError(error)
    redisFailed.publish(() => ({ error }))
  }
}

/** In Redis, whose stamps know what this process may have missed. */
function mayBeKept ({ state }: Fence): boolean {
  return state === 'intact' || state === 'gap'
}
