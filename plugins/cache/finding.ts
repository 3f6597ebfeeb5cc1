import { unpack } from '../shared/body.js'
import { entryFrom, type Entry } from '../shared/entry.js'
import type { MemoryTier } from '../shared/memory-tier.js'
import { EVERYTHING } from '../shared/redis-tags.js'
import type { RedisState, RedisTier } from '../shared/redis-tier.js'
import type { Held } from '../shared/tier.js'
import { unreadable } from './channels.js'
import type { Fence } from './fences.js'
import type { Generations } from './generations.js'
import { Kept } from './kept.js'
import type { Tags } from './tags.js'
import type { Telling } from './telling.js'

/** What a key's read brought, if it brought anything that is not void. */
export interface Found {
  readonly kept?: Kept | undefined
  /** With the stamp by which to write behind what was read; none where Redis did not answer, or has what a later release wrote. */
  readonly state?: RedisState
}

export interface FindingOptions {
  memory: MemoryTier<Entry> | undefined
  redis: RedisTier | undefined
  tags: Tags
  generations: Generations
  telling: Telling
  /** Wall clock, milliseconds. */
  now: () => number
  onRedisError: (error: unknown) => void
}

const NOTHING: Found = {}
const ONLY_EVERYTHING = [EVERYTHING]

/** Reads values from Redis, and gives out none that is damaged or void, or older than what this process did. */
export class Finding {
  /** What stood there and was none of ours, damaged, of another version, or too large. */
  unreadable = 0
  readonly #options: FindingOptions

  constructor (options: FindingOptions) {
    this.#options = options
  }

  /**
   * What Redis has, fresh or stale; kept in memory too.
   *
   * @param named tags that the values are likely to have
   * @param maxBytes of a value, serialised; a larger one is a miss
   * @returns in the order of the fences
   */
  async find (fences: readonly Fence[], named: readonly string[], maxBytes: number): Promise<readonly Found[]> {
    const { redis, tags: known, generations, telling, now, onRedisError } = this.#options
    if (redis === undefined) return fences.map(() => NOTHING)
    // What stands there is older than what this process did. Redis is told now, and not believed.
    const untold = telling.untold(fences)
    const told = untold.length === 0 ? undefined : Promise.all(untold.map(({ key }) => telling.deleteUntold(key)))
    if (untold.length === fences.length) {
      await told
      return fences.map(() => NOTHING)
    }
    const [asked, changes] = [known.moment(), telling.changes]
    const tags = named.length === 0 ? ONLY_EVERYTHING : [EVERYTHING, ...named]
    try {
      const { states, generations: current } = await redis.read(fences.map(({ key }) => key), tags)
      generations.learn(tags, current, asked)
      // Another server answers since, and what it has not heard of may have been told it meanwhile: this is from before.
      if (telling.changes !== changes) return fences.map(() => NOTHING)
      const moment = now()
      // It may have turned out to be another server that answered.
      const doubtful = telling.untold(fences)
      const tooOld = untold.length + doubtful.length === 0 ? undefined : new Set([...untold, ...doubtful])
      let later = false
      const found = fences.map((fence, index): Found | Promise<Found> => {
        const state = states[index]!
        const { opened } = state
        if (opened.kind === 'unanswered') onRedisError(opened.error)
        if (opened.kind === 'unanswered' || tooOld?.has(fence) === true) return NOTHING
        const kept = this.#keptFrom(opened, fence, tags, maxBytes, moment)
        if (!(kept instanceof Promise)) return { state, kept }
        later = true
        return this.#foundLater(kept, state, changes)
      })
      return later ? await Promise.all(found.map(async (one) => await one)) : found as Found[]
    } catch (error) {
      onRedisError(error)
      return fences.map(() => NOTHING)
    }
  }

  /** At once where nothing has to be waited for, as on most hits. */
  #keptFrom (
    opened: RedisState['opened'], fence: Fence, asked: readonly string[], maxBytes: number, now: number
  ): Kept | undefined | Promise<Kept | undefined> {
    if (opened.kind === 'unreadable' || opened.kind === 'newer') this.#unreadable(fence.key)
    if (opened.kind !== 'value' || opened.held.keptUntil <= now) return undefined
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
      await this.#options.generations.ask(this.#options.redis!, more)
      if (this.#options.telling.untold([fence]).length > 0) return undefined
    }
    return this.#received(held, entry, fence)
  }

  /** One that cannot be had takes nothing with it. */
  async #foundLater (later: Promise<Kept | undefined>, state: RedisState, changes: number): Promise<Found> {
    try {
      const kept = await later
      return this.#options.telling.changes === changes ? { state, kept } : NOTHING
    } catch (error) {
      this.#options.onRedisError(error)
      return NOTHING
    }
  }

  #received (held: Held<Uint8Array>, value: Entry, fence: Fence): Kept | undefined {
    const kept = new Kept(value, held)
    if (this.#options.tags.voids(kept)) return undefined
    if (fence.state === 'intact') this.#options.memory?.set(fence.key, kept)
    return kept
  }

  #unreadable (key: string): undefined {
    this.unreadable++
    unreadable.publish(() => ({ key }))
  }
}
