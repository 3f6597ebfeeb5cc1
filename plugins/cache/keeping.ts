import { pack } from '../shared/body.js'
import type { Entry } from '../shared/entry.js'
import type { MemoryTier } from '../shared/memory-tier.js'
import type { RedisTier } from '../shared/redis-tier.js'
import type { Held } from '../shared/tier.js'
import type { Prepared } from './admission.js'
import type { WriteResult } from './api.js'
import type { Fence } from './fences.js'
import type { Lifetime } from './freshness.js'
import type { Snapshot } from './generations.js'
import { Kept } from './kept.js'
import type { Telling } from './telling.js'
import type { Tiers } from './tiers.js'

export interface KeepingOptions {
  tiers: Tiers
  memory: MemoryTier<Entry> | undefined
  redis: RedisTier | undefined
  telling: Telling
  /** Bytes above which what goes to Redis is compressed. */
  compressAbove: number
  /** Milliseconds; a load that took longer keeps nothing in Redis. */
  longestLoad: number
  /** Wall clock, milliseconds. */
  now: () => number
}

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

/** Keeps what was loaded or saved, in both tiers, where nothing newer has come since it was asked for. */
export class Keeping {
  readonly #options: KeepingOptions
  readonly #tiers: Tiers
  readonly #memory: MemoryTier<Entry> | undefined

  constructor (options: KeepingOptions) {
    this.#options = options
    this.#tiers = options.tiers
    this.#memory = options.memory
  }

  /** Keeps what was loaded where nothing newer has come meanwhile. @returns the keys whose leases have ended with that */
  async keep (loaded: readonly Keepable[]): Promise<readonly string[]> {
    const { redis } = this.#options
    const forRedis = loaded.filter((one) => {
      const { fence, held, snapshot } = one
      // Void already, it would only stand in the place of what was loaded since.
      if (this.#tiers.generations.voids(snapshot)) return false
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
    if (failure !== undefined) this.#tiers.redisFailed(failure.reason)
    return writes.filter((_write, index) => results[index]!.status === 'fulfilled').map(({ key }) => key)
  }

  /** Keeps what was loaded anew, in the place of what is kept: where that cannot be, nothing is. Others are told as of a `set`. */
  async keepAnew (loaded: Keepable): Promise<void> {
    const { fence, held, snapshot } = loaded
    if (fence.state === 'broken' || fence.state === 'overtaken') return
    if (this.#tiers.generations.voids(snapshot) || !this.#mayGoToRedis(loaded)) {
      if (this.#options.redis !== undefined || fence.state !== 'intact') await this.#tiers.outdate(fence.key)
      else this.#remember(fence, new Kept(held.value, held))
      return
    }
    await this.#replace(loaded)
  }

  /**
   * Keeps what `save` has brought to the source, and gives, if that can be kept. What was kept before is gone when the save
   * begins. Where anybody else wrote meanwhile, nobody knows whose value the source has: then it is deleted again, and
   * loaded by whoever asks next.
   *
   * @param retention milliseconds that the value will be kept
   */
  async saved (
    key: string, named: readonly string[], save: () => Promise<({ readonly own: Prepared } & Lifetime) | undefined>, retention: number
  ): Promise<WriteResult> {
    const { redis, telling, now, longestLoad } = this.#options
    const { fences, generations } = this.#tiers
    this.#tiers.forget(key)
    return await fences.hold(key, 'write', async (fence) => {
      const began = now()
      const [stamp, snapshot] = await Promise.all([telling.tombstone(key), generations.snapshot(named, retention)])
      // One without end is waited for by its caller alone.
      const tooLong = setTimeout(() => { fences.late(fence) }, longestLoad).unref()
      const saved = await save().catch(async (error: unknown) => {
        // It may have come to the source all the same.
        await this.#tiers.outdate(key)
        throw error
      }).finally(() => { clearTimeout(tooLong) })
      if (fence.state !== 'intact' || saved === undefined) return await this.#tiers.outdate(key)
      this.#tiers.forgetReads(key)
      const { own: { entry, bytes }, freshUntil, keptUntil } = saved
      const held = { value: entry, freshUntil, keptUntil, loadTime: 0, tags: snapshot.tags }
      if (redis === undefined) {
        this.#memory?.set(key, new Kept(entry, held))
        return { shared: false }
      }
      const keepable = { fence, stamp, held, bytes, began, snapshot }
      return this.#mayGoToRedis(keepable) ? await this.#replace(keepable) : await this.#tiers.outdate(key)
    })
  }

  /** In memory, in the place of what other reads that are still under way may bring: this is newer. */
  #remember (fence: Fence, kept: Kept): void {
    this.#tiers.fences.breakReads(fence.key, fence)
    this.#memory?.set(fence.key, kept)
  }

  /** In both tiers, if nothing has been written since the stamp; else in neither. */
  async #replace (keepable: Keepable): Promise<WriteResult> {
    const { fence, stamp, held, bytes } = keepable
    const { key } = fence
    let replaced = false
    const shared = await this.#options.telling.write(key, async (redis) => {
      const value = await pack(bytes, this.#options.compressAbove)
      if (this.#mayGoToRedis(keepable)) replaced = await redis.replace(key, stamp!, { ...held, value })
      else await redis.delete(key)
    })
    this.#tiers.forgetReads(key, fence)
    if (replaced && fence.state === 'intact') this.#memory?.set(key, new Kept(held.value, held))
    return { shared }
  }

  /** After a gap the stamp decides: Redis knows what this process may have missed. */
  #mayGoToRedis ({ fence: { state }, stamp, snapshot, began }: Keepable): boolean {
    const { now, longestLoad } = this.#options
    return (state === 'intact' || state === 'gap') && stamp !== undefined && snapshot.any !== undefined && now() - began <= longestLoad
  }
}
