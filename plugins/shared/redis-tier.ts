import { BatchedReads } from './batched-reads.js'
import { open, sealTombstone, sealValue, STAMP_AT, stampOf, type Opened } from './envelope.js'
import { announcing, type Notice } from './notice.js'
import { groupsOf, UNLESS_LATE, type RedisCommands } from './redis-commands.js'
import { RedisTags, type ReadGeneration } from './redis-tags.js'
import type { Held, Tier } from './tier.js'

/** Where things stand in Redis. */
export interface RedisKeys {
  /** The value of a key of the cache. */
  readonly value: (key: string) => string
  /** The lease to load what stands under `valueKey`: in Cluster, of its slot. */
  readonly lease: (valueKey: string) => string
  /** That a write has been carried out on what stands under `valueKey`: in Cluster, of its slot. */
  readonly done: (valueKey: string, write: string) => string
  /** The generation of a tag. */
  readonly tag: (tag: string) => string
}

export interface RedisTierOptions {
  commands: RedisCommands
  keys: RedisKeys
  /** The pub/sub channel on which a write, a delete or an invalidation is told to the other processes. */
  channel: string
  /** What tells the other processes about a key. */
  noticeOf: (key: string) => Notice
  /** Milliseconds that a delete is remembered: what was read before it must have been written, or dropped, by then. */
  memoryOfDeletes: number
  /** Wall clock, milliseconds. */
  now: () => number
}

// The token is a fence: a process that was paused until its lease had ended, and another's begun, keeps nothing.
const WRITE_IF_UNCHANGED = `${UNLESS_LATE}${STAMP_AT}
  local written, channel = {}, ARGV[#ARGV - 1]
  for i = 1, #KEYS / 2 do
    local key, lease, at = KEYS[2 * i - 1], KEYS[2 * i], 5 * i - 4
    local holder = redis.pcall('HGET', lease, 'token')
    local isOwn = holder == ARGV[at + 3]
    written[i] = 0
    if stampAt(key) == ARGV[at] and (isOwn or type(holder) ~= 'string') then
      redis.call('SET', key, ARGV[at + 1], 'PX', ARGV[at + 2])
      written[i] = 1
    end
    if isOwn then
      if redis.call('HGET', lease, 'awaited') then redis.call('PUBLISH', channel, ARGV[at + 4]) end
      redis.call('DEL', lease)
    end
  end
  return written
`
// Whoever loads the key began before this: it loses its lease, so that nobody waits for what it brings. A client that has lost
// the connection sends a script again: what has been deleted since must not come back, so for as long as it may run it is
// remembered that it has.
const WRITE_AND_TELL = `${UNLESS_LATE}
  local left = math.ceil(tonumber(ARGV[#ARGV]) - time[1] * 1000 - time[2] / 1000) + 1
  if not redis.call('SET', KEYS[3], '', 'NX', 'PX', left) then return 1 end
  redis.call('DEL', KEYS[2])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('PUBLISH', ARGV[3], ARGV[4])
  return 1
`
// What stands there now may be newer, or older: nobody is to have either.
const REPLACE_AND_TELL = `${UNLESS_LATE}${STAMP_AT}
  redis.call('DEL', KEYS[2])
  local unchanged = stampAt(KEYS[1]) == ARGV[6]
  redis.call('SET', KEYS[1], unchanged and ARGV[1] or ARGV[5], 'PX', ARGV[2])
  redis.call('PUBLISH', ARGV[3], ARGV[4])
  return unchanged and 1 or 0
`
// A Redis that is full takes no tombstone, but it must still lose the value.
const DELETE_AND_TELL = `${UNLESS_LATE}
  local set = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  if type(set) == 'table' and set.err then redis.call('DEL', KEYS[1]) end
  redis.call('DEL', KEYS[2])
  redis.call('PUBLISH', ARGV[3], ARGV[4])
  return 1
`

/** Bytes, and values, after which a script that writes several is full: Redis does nothing else while it runs. */
const SCRIPT_BYTES = 2 ** 20
const SCRIPT_VALUES = 200

export interface RedisRead {
  readonly states: readonly RedisState[]
  readonly generations: readonly ReadGeneration[]
}

/** What stands under a key, with the stamp to give to `writeIfUnchanged`: none where what stands there is to be left alone. */
export interface RedisState {
  readonly opened: Opened | typeof ABSENCE | { readonly kind: 'unanswered', readonly error: Error }
  readonly stamp: Buffer | undefined
}

const ABSENCE = { kind: 'absent' } as const

const NO_LEASE = { token: '', message: '' }

export interface ConditionalWrite {
  readonly key: string
  /** Of the state that the value was read or loaded after. */
  readonly stamp: Buffer
  readonly held: Held<Uint8Array>
  /**
   * Under which it was loaded, if it was: with another one standing, it is not written. It ends with the write, and those
   * who wait for that are told `message`.
   */
  readonly lease?: { readonly token: string, readonly message: string } | undefined
}

/** Values that all processes share. Every method rejects in bounded time rather than wait for Redis. */
export class RedisTier implements Tier<Uint8Array> {
  readonly tags: RedisTags
  readonly #options: RedisTierOptions
  readonly #reads: BatchedReads

  constructor (options: RedisTierOptions) {
    const { commands, keys, channel } = options
    this.#options = options
    this.#reads = new BatchedReads(commands)
    this.tags = new RedisTags({ commands, reads: this.#reads, keyOf: keys.tag, channel })
  }

  /** Whether Redis answers, as far as is known. */
  get available (): boolean {
    return this.#options.commands.available
  }

  /** The keys by the servers that answer for them. */
  groupsOf (keys: readonly string[]): string[][] {
    return groupsOf(keys, this.#options.keys.value, this.#options.commands)
  }

  /** Whether the server of the key has not answered when it was last asked: nobody is to wait for it once more. */
  isFailing (key: string): boolean {
    return this.#options.commands.isFailing(this.#options.keys.value(key))
  }

  async get (key: string): Promise<Held<Uint8Array> | undefined> {
    const { states: [state] } = await this.read([key])
    const { opened } = state!
    if (opened.kind === 'unanswered') throw opened.error
    return opened.kind === 'value' && opened.held.keptUntil > this.#options.now() ? opened.held : undefined
  }

  /**
   * In one trip with whatever else is read in this turn of the event loop; more than some two hundred keys take several.
   *
   * @returns what stands there, in the order of `keys`, and the generations of the tags from no later than that
   * @throws where nothing could be read
   */
  async read (keys: readonly string[], tags: readonly string[] = []): Promise<RedisRead> {
    const tagKeys = this.tags.keysOf(tags)
    const values = await this.#reads.get([...tagKeys, ...keys.map(this.#options.keys.value)])
    const now = this.#options.now()
    const states = keys.map((_key, index): RedisState => {
      const envelope = values[tagKeys.length + index] ?? null
      if (envelope instanceof Error) return new State({ kind: 'unanswered', error: envelope }, null)
      return new State(envelope === null ? ABSENCE : open(envelope, now), envelope)
    })
    return { states, generations: this.tags.generationsFrom(tags, values) }
  }

  /**
   * Writes each unless anything was written, or deleted, under its key since its stamp was read.
   *
   * @returns which were written, or why not, in the order given
   */
  async writeIfUnchanged (writes: readonly ConditionalWrite[]): Promise<Array<PromiseSettledResult<boolean>>> {
    const { commands, channel, now } = this.#options
    const sealed = writes.map(({ key, stamp, held, lease = NO_LEASE }) =>
      ({ keys: this.#keysOf(key), stamp, envelope: sealValue(held, now()), retention: this.#retention(held), lease }))
    const batches = inBatches(sealed, commands.isCluster ? 0 : SCRIPT_BYTES, ({ envelope }) => Math.max(envelope.length, Math.floor(SCRIPT_BYTES / SCRIPT_VALUES)))
    const results = await commands.writeEach<unknown[]>(WRITE_IF_UNCHANGED, batches.map((batch) => ({
      keys: batch.flatMap(({ keys }) => keys),
      args: [...batch.flatMap(({ stamp, envelope, retention, lease: { token, message } }) => [stamp, envelope, retention, token, message]), channel]
    })))
    return results.flatMap((result, index): Array<PromiseSettledResult<boolean>> => result.status === 'rejected'
      ? batches[index]!.map(() => result)
      : result.value.map((one) => ({ status: 'fulfilled', value: Number(one) === 1 })))
  }

  /** Writes whatever stands there, and tells the other processes in the same step. */
  async set (key: string, held: Held<Uint8Array>): Promise<void> {
    if (held.keptUntil <= this.#options.now()) await this.delete(key)
    else {
      const envelope = sealValue(held, this.#options.now())
      await this.#tell(WRITE_AND_TELL, key, { envelope, retention: this.#retention(held), once: stampOf(envelope).toString('base64url') })
    }
  }

  /**
   * Writes this if nothing was written, or deleted, since the stamp was read, else leaves a tombstone. Tells the other
   * processes in the same step. @returns whether it wrote
   */
  async replace (key: string, stamp: Buffer, held: Held<Uint8Array>): Promise<boolean> {
    const envelope = sealValue(held, this.#options.now())
    return Number(await this.#tell(REPLACE_AND_TELL, key, { envelope, retention: this.#retention(held), moreArgs: [sealTombstone(), stamp] })) === 1
  }

  /** Leaves a tombstone, and tells the other processes in the same step. @returns the tombstone's stamp */
  async delete (key: string): Promise<Buffer> {
    const tombstone = sealTombstone()
    await this.#tell(DELETE_AND_TELL, key, { envelope: tombstone, retention: this.#retention() })
    return stampOf(tombstone)
  }

  async #tell (script: string, key: string, { envelope, retention, once, moreArgs = [] }: Told): Promise<unknown> {
    const { commands, channel, noticeOf, keys: { done } } = this.#options
    const [value, lease] = this.#keysOf(key)
    const keys = once === undefined ? [value, lease] : [value, lease, done(value, once)]
    commands.check(value)
    return await announcing(noticeOf(key), (text) => commands.write(script, { keys, args: [envelope, retention, channel, text, ...moreArgs] }))
  }

  #keysOf (key: string): readonly [value: string, lease: string] {
    const { keys } = this.#options
    const value = keys.value(key)
    return [value, keys.lease(value)]
  }

  /** Longer than the value lives: while an older load may still be running, its stamp must not match an empty key. */
  #retention (held?: Held<Uint8Array>): number {
    const { now, memoryOfDeletes } = this.#options
    return Math.ceil(Math.max(held === undefined ? 0 : held.keptUntil - now(), memoryOfDeletes))
  }
}

interface Told {
  readonly envelope: Buffer
  /** Milliseconds. */
  readonly retention: number
  /** Names the write, where it is not to be carried out a second time. */
  readonly once?: string
  readonly moreArgs?: readonly Buffer[]
}

class State implements RedisState {
  readonly opened: RedisState['opened']
  readonly #envelope: Buffer | null

  constructor (opened: RedisState['opened'], envelope: Buffer | null) {
    this.opened = opened
    this.#envelope = envelope
  }

  // Only a miss has a use for it.
  get stamp (): Buffer | undefined {
    return this.opened.kind === 'newer' ? undefined : stampOf(this.#envelope)
  }
}

/** @returns the items in order, each batch as large as `most` allows, but never empty */
function inBatches<T> (items: readonly T[], most: number, sizeOf: (item: T) => number): T[][] {
  const batches: T[][] = []
  let room = 0
  for (const item of items) {
    const size = sizeOf(item)
    if (batches.length === 0 || size > room || most === 0) {
      batches.push([])
      room = most
    }
    batches.at(-1)!.push(item)
    room -= size
  }
  return batches
}
