import type { Duration, Size } from '../shared/units.js'
import type { Id, Write } from './record.js'

export type { Id, Write }

export interface SaveContext {
  /** Rises with each write of the id: what the source has of a higher one is newer. A safe integer. */
  readonly version: number
  /** Aborts when the save has taken longer than `saveTimeout`, when another process has taken over, and when the app closes. */
  readonly signal: AbortSignal
}

export interface WriteBehindOptions<T = any, I extends Id = Id> {
  /** Brings a value to the source. What it throws is tried again, unless the source has something newer. */
  save: (id: I, value: T, context: SaveContext) => unknown
  /**
   * Brings several. Gives nothing when all are saved; else what went wrong with some: an array in the order of the writes, or a Map
   * by id, with an Error for each that failed. Where it throws, each is given to `save` alone.
   */
  saveMany?: (writes: Array<Write<T, I>>, context: Pick<SaveContext, 'signal'>) => unknown
  /**
   * States that `save` and `saveMany` compare versions, as `UPDATE … WHERE version < $version` does, so that nothing older ever comes
   * over something newer. Then writes are saved at once while Redis is away. Default `false`: they are refused.
   */
  fenced?: boolean
  /** How long a write waits for others of its id, to be saved together. Default `'200ms'`. */
  delay?: Duration
  /** Writes that are saved together, at most. Default 100. */
  batch?: number
  /** Batches, or without `saveMany` groups of saves, that a process has under way at a time. Default 4. */
  concurrency?: number
  /** How long a save may take. Default `'10s'`. */
  saveTimeout?: Duration
  /** How often a write is tried before it goes to the dead letters. Default 5. */
  attempts?: number
  /** How long after a failure a write is tried again: at first, twice as long after each, and at most. Default `{ first: '100ms', longest: '5s' }`. */
  retry?: { first?: Duration, longest?: Duration }
  /** Whether an error says that the source is away: that counts as no try. Default: those of the network, of Postgres and of MongoDB. */
  isOutage?: (error: unknown) => boolean
  /** A write could not be saved, and lies with the dead letters. Called in the process that gave it up. */
  onDead?: (letter: Omit<DeadLetter<T, I>, 'letter' | 'superseded'>) => unknown
  /** Ids that may wait, in sixteen equal parts. Default 100,000. */
  limit?: number
  /** How long a write waits for room where the queue is full, before it is refused with `FST_HEADROOM_WRITE_BEHIND_FULL` (503). Default `'1s'`. */
  fullTimeout?: Duration
  /** The largest value, serialised. Default `'1mb'`. */
  maxBytes?: Size
}

export interface SetResult {
  version: number
  /** Whether it waits in Redis. `false`: it was saved at once. */
  queued: boolean
}

export interface DeadLetter<T = any, I extends Id = Id> {
  /** By which to replay or discard it. */
  letter: string
  id: I
  /** Undefined where what stood in Redis cannot be read. */
  value: T | undefined
  version: number
  /** How often the save had failed. */
  tries: number
  /** What the last one threw, as a text. */
  reason: string
  /** Whether something newer of the id waits, has been saved, or could not be saved either: then it cannot be replayed. */
  superseded: boolean
}

export interface WriteBehindStats {
  /** Ids that wait; undefined, as the next two, where Redis does not answer. */
  depth: number | undefined
  /** Milliseconds that the one that waits longest has waited. */
  lag: number | undefined
  /** Dead letters. */
  deadLetters: number | undefined
  /** Shards, of sixteen, that this process saves from. The next ones are counts of this process too. */
  shards: number
  /** Writes that were queued. */
  queued: number
  /** Those of them that came in the place of one that waited. */
  coalesced: number
  saved: number
  /** Saves that failed, and are tried again. */
  retries: number
  /** Writes that went to the dead letters. */
  dead: number
  /** Writes that were saved at once, while Redis was away. */
  direct: number
  /** Writes that were refused: the queue was full, or Redis away. */
  refused: number
}

/** A durable queue of writes to a source, of which those of each id are saved in their order. */
export interface WriteBehind<T = any, I extends Id = Id> {
  /**
   * Resolves when the write is in Redis, or saved.
   *
   * @throws `FST_HEADROOM_WRITE_BEHIND_FULL` and `_DURABILITY`, and it was not kept; `_UNAVAILABLE` and `_CLOSING`, and what `save`
   *   throws where it is called at once, and it may have been; the coded ones with 503 and `retry-after`; `_ID`, `_VALUE`
   */
  set (id: I, value: T): Promise<SetResult>
  /** What waits under the id; undefined where nothing does. @throws `FST_HEADROOM_WRITE_BEHIND_UNAVAILABLE` (503), `_ID` */
  pending (id: I): Promise<Write<T, I> | undefined>
  /** The same of several, in the order of `ids`. */
  pendingMany (ids: readonly I[]): Promise<Array<Write<T, I> | undefined>>
  /** What could not be saved, the oldest first. @param after the last one of those that were given before @throws `_UNAVAILABLE` */
  deadLetters (options?: { after?: string, count?: number }): Promise<Array<DeadLetter<T, I>>>
  /** Queues it once more, under the version that it has. @throws `_UNAVAILABLE` */
  replay (letter: string): Promise<'queued' | 'superseded' | 'gone'>
  /** Deletes it. @returns whether it was there @throws `_UNAVAILABLE` */
  discard (letter: string): Promise<boolean>
  /** Never rejects. */
  stats (): Promise<WriteBehindStats>
}

/** `app.writeBehind`. @throws `FST_HEADROOM_WRITE_BEHIND_OPTION` where the name is taken, or an option is wrong */
export type CreateWriteBehind = <T = any, I extends Id = Id>(name: string, options: WriteBehindOptions<T, I>) => WriteBehind<T, I>
