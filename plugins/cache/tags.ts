import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { atMost } from '../shared/lru-bound.js'
import type { TagGeneration } from '../shared/tier.js'

/** Tags of which this process knows something; of the others it asks Redis, or takes what depends on them for void. */
const MOST = 50_000

/** A point in the order of what this process has done and heard; later ones are larger. */
export type Moment = number

/** What depends on tags. */
export interface Dependent {
  readonly tags: readonly TagGeneration[]
  /** When its tags were last compared; before the first time 0. While no tag changes, once is enough. */
  checked: Moment
}

interface Known {
  readonly generation: string
  readonly learnt: Moment
  /** Wall-clock milliseconds until which the generation stands in Redis for sure. */
  readonly lastsUntil: number
}

/**
 * What this process knows of the generations of tags. A value depends on the generations from before it was loaded;
 * once one of its tags has another, or is not known, the value is void here. So an invalidation costs the same however
 * many values it voids, and forgetting a tag to stay in bounds is safe.
 */
export class Tags {
  readonly #known: LRUCache<string, Known>
  readonly #invalidated: LRUCache<string, Moment>
  #moment: Moment = 1
  /** When a generation last changed, or was forgotten. Later than the 0 of what was never compared. */
  #changed: Moment = 1
  /** A tag may have been invalidated until then without standing in `#invalidated`: that is bounded too. */
  #floor: Moment = 0

  constructor (most = MOST) {
    this.#known = new LRUCache(atMost(most))
    this.#invalidated = new LRUCache({
      ...atMost(most),
      dispose: (moment, _tag, reason) => { if (reason === 'evict') this.#floor = Math.max(this.#floor, moment) }
    })
  }

  /** Now, as the start of a read or a load. */
  moment (): Moment {
    return ++this.#moment
  }

  /** The tag's generation; without Redis, or while it is away, made here where it is not known. */
  current (tag: string): string {
    const known = this.#known.get(tag)
    if (known !== undefined) return known.generation
    const generation = randomBytes(8).toString('base64url')
    this.#learn(tag, generation, 0)
    return generation
  }

  /** What Redis said, to a question of `asked`. Ignored when the tag was invalidated since: the answer may be from before. */
  learn (tag: string, generation: string | undefined, asked: Moment, lastsUntil = 0): void {
    if (this.invalidatedSince(tag, asked)) return
    const known = this.#known.get(tag)
    if (known?.generation !== generation) this.#changed = this.moment()
    if (generation === undefined) this.#known.delete(tag)
    else if (known?.generation !== generation || lastsUntil > known.lastsUntil) this.#learn(tag, generation, lastsUntil, known)
  }

  /** The generation, if it was known at `moment` and stands as far as is known. */
  knownBefore (tag: string, moment: Moment): string | undefined {
    const known = this.#known.get(tag)
    return known !== undefined && known.learnt < moment ? known.generation : undefined
  }

  /** Whether Redis keeps the generation until then for sure. */
  lasts (tag: string, until: number): boolean {
    return (this.#known.get(tag)?.lastsUntil ?? 0) >= until
  }

  invalidate (tags: Iterable<string>): void {
    this.#changed = this.moment()
    for (const tag of tags) {
      this.#known.delete(tag)
      this.#invalidated.set(tag, this.#changed)
    }
  }

  /** Whether the tag was, or may have been, invalidated after `moment`. */
  invalidatedSince (tag: string, moment: Moment): boolean {
    return (this.#invalidated.get(tag) ?? this.#floor) > moment
  }

  /** Messages may have been missed: nothing is known any more. */
  forget (): void {
    this.#known.clear()
    this.#changed = this.moment()
  }

  /** Whether a value is void for what this process knows. */
  voids (dependent: Dependent): boolean {
    if (dependent.checked >= this.#changed) return false
    for (const { tag, generation } of dependent.tags) if (this.#known.get(tag)?.generation !== generation) return true
    dependent.checked = this.#moment
    return false
  }

  #learn (tag: string, generation: string, lastsUntil: number, known?: Known): void {
    this.#known.set(tag, { generation, lastsUntil, learnt: known?.generation === generation ? known.learnt : this.moment() })
  }
}
