import { ANY_TAG, EVERYTHING, type ReadGeneration } from '../shared/redis-tags.js'
import type { RedisTier } from '../shared/redis-tier.js'
import type { TagGeneration } from '../shared/tier.js'
import type { Moment, Tags } from './tags.js'
import type { Telling } from './telling.js'

/** The generations of the tags that a value will depend on, from before it was loaded. */
export interface Snapshot {
  readonly taken: Moment
  readonly tags: readonly TagGeneration[]
  /** That of any tag; undefined where Redis has no part in it, and so gets no value either. */
  readonly any: string | undefined
}

export interface GenerationsOptions {
  redis: RedisTier | undefined
  tags: Tags
  telling: Telling
  /** Wall clock, milliseconds. */
  now: () => number
  onRedisError: (error: unknown) => void
  /** Whether the other processes are heard now. */
  listening: () => boolean
}

/** Milliseconds that the generation of a tag stands in Redis at least. */
const TAG_LIFETIME = 24 * 60 * 60 * 1_000

/** How often the generations are asked for, while one of the tags is invalidated again and again. */
const ATTEMPTS = 3

/** The generations of tags as Redis has them, or while it has no part in it, as this process has. */
export class Generations {
  readonly #options: GenerationsOptions
  readonly #tags: Tags

  constructor (options: GenerationsOptions) {
    this.#options = options
    this.#tags = options.tags
  }

  /** Those that a value loaded from now on will depend on. @param retention milliseconds that it will be kept */
  async snapshot (named: readonly string[], retention: number): Promise<Snapshot> {
    if (this.#options.redis?.available !== true) return this.localSnapshot(named)
    const established = await this.#establish([EVERYTHING, ANY_TAG, ...named], retention)
    if (established === undefined) return this.localSnapshot(named)
    const [everything, any, ...tags] = established.tags
    return { taken: established.taken, any: any!.generation, tags: [everything!, ...tags] }
  }

  /**
   * Adds tags that were named only in the course of the load, with their generations from before it; and has all of them
   * last for as long as the value turned out to be kept.
   *
   * @returns undefined when these cannot be known any more; then the value is not to be kept
   */
  async extended (snapshot: Snapshot, more: readonly string[], retention: number): Promise<Snapshot | undefined> {
    const { taken, any } = snapshot
    if (this.anyInvalidated(more, taken)) return undefined
    if (any === undefined) return { ...snapshot, tags: [...snapshot.tags, ...this.local(more)] }
    const until = this.#options.now() + retention
    const brief = [...snapshot.tags.map(({ tag }) => tag), ...more].filter((tag) => !this.#tags.lasts(tag, until))
    if (brief.length > 0 && await this.#establish(brief, retention) === undefined) return undefined
    // Also one that was known, and that Redis has lost since.
    const unknown = more.filter((tag) => this.#tags.knownBefore(tag, taken) === undefined)
    if (unknown.length > 0) {
      // Read after them: while it stands, so did theirs since before the load.
      if (!await this.#isAnyTagStill(any)) return undefined
      if (this.anyInvalidated(more, taken)) return undefined
    }
    return { ...snapshot, tags: [...snapshot.tags, ...this.local(more)] }
  }

  /**
   * What Redis said, to a question of `asked`. In a Cluster the node of a tag can hang, and those of the values answer: then what is
   * known of the tag is believed, while the others would be heard to invalidate it.
   *
   * @throws the Error that stands for one of them, while the others are not heard
   */
  learn (tags: readonly string[], generations: readonly ReadGeneration[], asked: Moment, lastsUntil?: number): void {
    const untold = this.#options.telling.untoldTags(tags)
    tags.forEach((tag, index) => {
      const generation = generations[index]
      if (generation instanceof Error) {
        this.#options.onRedisError(generation)
        if (!this.#options.listening()) throw generation
      } else if (!untold.includes(tag)) this.#tags.learn(tag, generation, asked, lastsUntil)
    })
  }

  /** Asks Redis for them. */
  async ask (redis: RedisTier, tags: readonly string[]): Promise<readonly ReadGeneration[]> {
    const asked = this.#tags.moment()
    const generations = await redis.tags.read(tags)
    this.learn(tags, generations, asked)
    return generations
  }

  /** As this process knows them; made here where it does not. */
  local (tags: readonly string[]): TagGeneration[] {
    return tags.map((tag) => ({ tag, generation: this.#tags.current(tag) }))
  }

  /** Whether what was loaded after the snapshot is void already. */
  voids ({ tags, taken }: Snapshot): boolean {
    return this.anyInvalidated(tags.map(({ tag }) => tag), taken)
  }

  anyInvalidated (tags: readonly string[], since: Moment): boolean {
    return tags.some((tag) => this.#tags.invalidatedSince(tag, since))
  }

  /** @returns the generations, made anew where missing, and when that was; or undefined where Redis cannot say */
  async #establish (tags: readonly string[], retention: number): Promise<Pick<Snapshot, 'taken' | 'tags'> | undefined> {
    const { redis, telling, now, onRedisError } = this.#options
    const until = now() + retention
    // What was known can be forgotten, or invalidated, while Redis is asked for the rest.
    for (let attempt = 0; ; attempt++) {
      const missing = tags.filter((tag) => !this.#tags.lasts(tag, until))
      // With every invalidation that of any tag goes. Without it, tags that only the load names are not known from before it.
      const enough = missing.length === 0 || (attempt === ATTEMPTS && missing.every((tag) => tag === ANY_TAG))
      if (enough) return { tags: this.local(tags), taken: this.#tags.moment() }
      if (attempt === ATTEMPTS) return undefined
      const lifetime = 2 * Math.max(TAG_LIFETIME, retention)
      try {
        const untold = telling.untoldTags(missing)
        if (untold.length > 0 && !await telling.invalidate(untold)) return undefined
        const asked = this.#tags.moment()
        this.learn(missing, await redis!.tags.establish(missing, lifetime), asked, now() + lifetime / 2)
      } catch (error) {
        onRedisError(error)
        return undefined
      }
    }
  }

  async #isAnyTagStill (generation: string): Promise<boolean> {
    try {
      const [current] = await this.ask(this.#options.redis!, [ANY_TAG])
      return current === generation
    } catch (error) {
      this.#options.onRedisError(error)
      return false
    }
  }

  /** As this process knows them: what is loaded from now on is not for Redis. */
  localSnapshot (named: readonly string[]): Snapshot {
    return { taken: this.#tags.moment(), any: undefined, tags: this.local(named) }
  }
}
