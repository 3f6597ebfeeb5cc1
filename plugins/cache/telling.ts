import { EVERYTHING } from '../shared/redis-tags.js'
import type { RedisTier } from '../shared/redis-tier.js'
import { InOrder } from '../shared/in-order.js'
import type { Messages } from './messages.js'
import { Recent } from './recent.js'
import type { Tags } from './tags.js'
import { Untold } from './untold.js'

/** Milliseconds by which a replica may lag behind: what was told so shortly before its master was last there may be lost with that. */
const REMEMBERED = 30_000

/** Names that are remembered at most; of more, everything is told again. */
const MOST_REMEMBERED = 100_000

export interface TellingOptions {
  redis: RedisTier | undefined
  messages: Messages
  tags: Tags
  onRedisError: (error: unknown) => void
  /** Since when another server may answer than the one that was told: what that has of what was told before is not believed. */
  doubts: Doubts
}

/** On the clock of `performance.now`; undefined while it is the same server. */
export interface Doubts {
  readonly ofKey: (key: string) => number | undefined
  readonly ofTag: (tag: string) => number | undefined
}

/** Names of which some servers have been told. */
export interface NameFilter {
  readonly isKey: (key: string) => boolean
  readonly isTag: (tag: string) => boolean
}

/**
 * What Redis, and through it every other process, is told of writes, deletes and invalidations. What it could not be told
 * is told again until it has heard it; till then, what stands there is too old for this process to give out.
 */
export class Telling {
  readonly #options: TellingOptions
  readonly #writes = new InOrder<boolean>()
  readonly #keys = new Untold({
    tellAgain: (key) => this.deleteUntold(key),
    groupsOf: (keys) => this.#options.redis?.groupsOf(keys) ?? [keys],
    onFull: () => { this.#tooMuch() }
  })

  readonly #tags = new Untold({
    tellAgain: (tag) => this.invalidate([tag]),
    groupsOf: (tags) => this.#options.redis?.tags.groupsOf(tags) ?? [tags],
    onFull: () => { this.#tooMuch() }
  })

  readonly #toldKeys = new Recent(REMEMBERED, MOST_REMEMBERED)
  readonly #toldTags = new Recent(REMEMBERED, MOST_REMEMBERED)
  /** How often another server has taken the place of one that was told. */
  #changes = 0

  constructor (options: TellingOptions) {
    this.#options = options
  }

  /** Ends the attempts to tell again. */
  close (): void {
    this.#keys.close()
    this.#tags.close()
  }

  /** Redis answers again: it is told what it could not be told, at once. */
  recovered (): void {
    this.#keys.recovered()
    this.#tags.recovered()
  }

  /** How often another server has taken the place of one: what one had answered that was asked before then is not to be believed. */
  get changes (): number {
    return this.#changes
  }

  /** At that time the servers were there that had been told. @param at on the clock of `performance.now` @param meant which servers; without it all of them */
  confirm (at: number, meant?: NameFilter): void {
    this.#toldKeys.confirm(at, meant?.isKey)
    this.#toldTags.confirm(at, meant?.isTag)
  }

  /**
   * Another server has taken the place of the one that was told, and may not have heard of the last of it: all of that is told
   * again. @returns what that is
   */
  tellAgain ({ isKey, isTag }: NameFilter): { readonly keys: readonly string[], readonly tags: readonly string[] } {
    this.#changes++
    const [keys, tags] = [this.#toldKeys.names(isKey), this.#toldTags.names(isTag)]
    if (keys === undefined || tags === undefined) {
      this.#tooMuch()
      return { keys: [], tags: [EVERYTHING] }
    }
    this.#keys.add(keys)
    this.#tags.add(tags)
    this.recovered()
    return { keys, tags }
  }

  /** Of the keys, those that Redis may have something too old for. */
  untold<T extends { readonly key: string }> (keyed: readonly T[]): readonly T[] {
    if (this.#keys.size === 0 && this.#toldKeys.isEmpty) return NONE
    const { ofKey } = this.#options.doubts
    return keyed.filter(({ key }) => this.#keys.has(key) || isDoubted(key, this.#toldKeys, ofKey))
  }

  /** Of the tags, those that Redis may take for valid, and that are not. */
  untoldTags (tags: readonly string[]): readonly string[] {
    if (this.#tags.size === 0 && this.#toldTags.isEmpty) return NONE
    const { ofTag } = this.#options.doubts
    return tags.filter((tag) => this.#tags.has(tag) || isDoubted(tag, this.#toldTags, ofTag))
  }

  /** @returns whether Redis has heard it */
  async delete (key: string): Promise<boolean> {
    return await this.overwrite(key, async (redis) => { await redis.delete(key) })
  }

  /** Where a write that came first has not told Redis of something newer. @returns whether Redis has heard it */
  async deleteUntold (key: string): Promise<boolean> {
    return await this.#writes.run(key, async () => !this.#keys.has(key) || await this.#tellKey(key, async (redis) => { await redis.delete(key) }))
  }

  /** @returns the stamp by which to write in the place of what is deleted; none where Redis could not be told */
  async tombstone (key: string): Promise<Buffer | undefined> {
    let stamp: Buffer | undefined
    await this.write(key, async (redis) => { stamp = await redis.delete(key) })
    return stamp
  }

  /** @returns whether Redis has heard it */
  async invalidate (tags: readonly string[]): Promise<boolean> {
    return await this.#tell(tags, this.#tags, this.#toldTags, async (redis) => {
      await redis.tags.invalidate(tags, () => this.#options.messages.ofTags(tags))
      // An answer of Redis from before may still be on its way, and is not to be believed: also not in the next moment, when
      // they are struck off what is untold.
      this.#options.tags.invalidate(tags)
    })
  }

  /** Redis will be told of a delete, as soon as it can be. */
  deleteLater (key: string): void {
    this.#keys.add([key])
  }

  /** As `write`, whatever stands there. One that waits is left out where another has come after it. */
  async overwrite (key: string, write: (redis: RedisTier) => Promise<void>): Promise<boolean> {
    return await this.#inOrder(key, write, true)
  }

  /**
   * Writes of a key come to Redis in order, whatever each has to wait for: a set not after the delete that followed it.
   * One that fails leaves the key to be deleted.
   *
   * @returns whether Redis has heard it
   */
  async write (key: string, write: (redis: RedisTier) => Promise<void>): Promise<boolean> {
    return await this.#inOrder(key, write, false)
  }

  async #inOrder (key: string, write: (redis: RedisTier) => Promise<void>, overwrites: boolean): Promise<boolean> {
    return await this.#writes.run(key, async (waited) => {
      if (!waited || !this.#keys.has(key)) return await this.#tellKey(key, write)
      // It has waited for one that Redis did not answer: nobody is to wait for the same Redis twice.
      this.deleteLater(key)
      return false
    }, overwrites)
  }

  async #tellKey (key: string, write: (redis: RedisTier) => Promise<void>): Promise<boolean> {
    return await this.#tell([key], this.#keys, this.#toldKeys, write)
  }

  async #tell (names: readonly string[], untold: Untold, told: Recent, write: (redis: RedisTier) => Promise<void>): Promise<boolean> {
    const { redis, onRedisError } = this.#options
    if (redis === undefined) return false
    return await untold.track(names, async () => {
      try {
        const [sent, changes] = [performance.now(), this.#changes]
        await write(redis)
        // Whoever takes the place of the server that has heard it, does so later: or has done so while that answered.
        told.add(names, sent)
        if (changes !== this.#changes) {
          untold.add(names)
          untold.recovered()
        }
        return true
      } catch (error) {
        onRedisError(error)
        untold.add(names)
        return false
      }
    })
  }

  /** More than can be remembered one by one: Redis is to be cleared. */
  #tooMuch (): void {
    this.#options.tags.invalidate([EVERYTHING])
    this.#tags.add([EVERYTHING])
  }
}

/** Whether another server than the one that was told may answer. */
function isDoubted (name: string, told: Recent, doubtedAt: (name: string) => number | undefined): boolean {
  const at = told.cameAt(name)
  // Most have not been told of, and need not be looked at.
  return at < Infinity && at < (doubtedAt(name) ?? -Infinity)
}

const NONE: readonly never[] = []
