import { randomBytes } from 'node:crypto'
import type { TimeBounds } from '../shared/redis-clock.js'
import type { RedisCommands } from '../shared/redis-commands.js'
import { membersKey, shardKeys, SHARDS, type ShardKeys } from './keys.js'
import { stampOf, versionOf, writeOf, type Write } from './record.js'
import { ACKNOWLEDGE, CLAIM, DEPTH, DISCARD, ENQUEUE, FAIL, FENCED, JOIN, LEAVE, LETTERS, PENDING, RECLAIM, RELEASE, REPLAY, SUPERSEDE, TEND } from './scripts.js'

export interface WriteLogOptions {
  commands: RedisCommands
  prefix: string
  /** Of the queue. */
  name: string
  /** On which the owner of a shard is told that something waits in it. */
  channel: string
  /** Ids that may wait in a shard. */
  limit: number
}

/** A write to be queued. */
export interface Queueing {
  readonly id: string
  readonly payload: Buffer
}

/** Of one whose save has failed: where a newer write of its id has come, it is of no interest any more. */
export type Fate = 'again' | 'dead' | 'overtaken'

export interface Queued {
  readonly version: number
  /** Whether it has come in the place of one that waited. */
  readonly coalesced: boolean
}

/** One that its owner has taken out to save. */
export interface Claim {
  readonly id: string
  /** Its place in the stream. */
  readonly entry: string
  readonly version: number
  readonly record: Buffer
  /** How often its save has failed. */
  readonly tries: number
  /** Whether it is to be saved for itself. */
  readonly alone?: boolean
}

export interface Claims {
  readonly claims: readonly Claim[]
  /** After which to go on. */
  readonly cursor: string
  /** Milliseconds until the next one has waited long enough; undefined where there is none. */
  readonly wait: number | undefined
}

/** One whose save has failed. */
export interface Failure extends Pick<Claim, 'id' | 'entry' | 'record'> {
  readonly tries: number
  /** Why it is given up; undefined where it is to be tried again. */
  readonly dead?: string | undefined
}

/** One that could not be saved. */
export interface Letter {
  /** Its place in the stream. */
  readonly entry: string
  readonly id: string
  readonly record: Buffer
  readonly tries: number
  readonly reason: string
  /** Whether something newer of the id waits, has been saved, or could not be saved either. */
  readonly superseded: boolean
}

/** Another process owns the shard. */
export class FencedError extends Error {
  override readonly name = 'FencedError'
  constructor () {
    super('the lease of the shard has ended')
  }
}

/** How full a shard is. */
export interface Depth {
  /** Ids that wait. */
  readonly waiting: number
  /** Milliseconds that the first of them has waited; 0 where none does. */
  readonly lag: number
  readonly dead: number
}

/** How a queue stands in Redis. Every method ends in bounded time; what an owner does, only while it is the owner. */
export class WriteLog {
  readonly #options: WriteLogOptions
  readonly #shards: readonly ShardKeys[]
  /** What tells its writes from those of others, with how many it has sent. */
  readonly #process = randomBytes(9).toString('base64url')
  #sent = 0
  /** The highest version that this process has seen. */
  #highest = 0

  constructor (options: WriteLogOptions) {
    this.#options = options
    this.#shards = Array.from({ length: SHARDS }, (_, shard) => shardKeys(options.prefix, options.name, shard))
  }

  /** The highest version that this process has seen, of whichever id. */
  get highest (): number {
    return this.#highest
  }

  /** @returns what became of each, in the order given: undefined of those that found the shard full */
  async enqueue (shard: number, writes: readonly Queueing[]): Promise<Array<Queued | undefined>> {
    const { commands, limit, channel, name } = this.#options
    const { records, queue, version, answer, tries } = this.#shards[shard]!
    const versions = await commands.write<string[]>(ENQUEUE, {
      keys: [records, queue, version, answer(`${this.#process}-${++this.#sent}`), tries],
      args: [limit, this.#highest, channel, `${name}:${shard}`, ...writes.flatMap(({ id, payload }) => [id, payload])]
    })
    return versions.map((text) => text === '' ? undefined : { version: this.see(Math.abs(Number(text))), coalesced: text.startsWith('-') })
  }

  /** The time of the Redis that has the shard, which versions are made of, as far as it is known. */
  timeOf (shard: number): TimeBounds | undefined {
    return this.#options.commands.timeOf(this.#shards[shard]!.version)
  }

  /** Whether Redis answers, as far as is known. */
  get available (): boolean {
    return this.#options.commands.available
  }

  /** @returns what waits under ids of one shard, in their order */
  async pending (shard: number, ids: readonly string[]): Promise<Array<Write | undefined>> {
    const { records } = this.#shards[shard]!
    const found = await this.#options.commands.writeBuffers(PENDING, { keys: [records], args: ids }) as Buffer[]
    return found.map((record, index) => record.length === 0 ? undefined : writeOf(ids[index]!, record))
  }

  /** @param delay milliseconds that they have waited at least @returns those after the cursor, `'0'` in the beginning @throws FencedError */
  async claim (shard: number, token: string, { cursor, count, delay }: { cursor: string, count: number, delay: number }): Promise<Claims> {
    const { lease, queue, records, tries } = this.#shards[shard]!
    const [next, wait, claims] = unfenced(await this.#options.commands.writeBuffers(CLAIM, {
      keys: [lease, queue, records, tries], args: [token, cursor, count, delay]
    })) as [Buffer, Buffer, Buffer[][]]
    return {
      cursor: next.toString(),
      wait: wait.length === 0 ? undefined : Number(wait.toString()),
      claims: claims.map(([id, entry, record, failures]) => ({
        id: id!.toString(), entry: entry!.toString(), record: record!, version: this.see(versionOf(record!)), tries: Number(failures!.toString())
      }))
    }
  }

  /** The records that wait now, undefined where none does, or not in that place. @throws FencedError */
  async reclaim (shard: number, token: string, claims: ReadonlyArray<Pick<Claim, 'id' | 'entry'>>): Promise<Array<Buffer | undefined>> {
    const { lease, queue, records } = this.#shards[shard]!
    const found = unfenced(await this.#options.commands.writeBuffers(RECLAIM, { keys: [lease, queue, records], args: [token, ...claims.flatMap(({ id, entry }) => [id, entry])] })) as Buffer[]
    return found.map((record) => record.length === 0 ? undefined : record)
  }

  /** They have been saved. @returns of how many a newer write waits. @throws FencedError */
  async acknowledge (shard: number, token: string, saved: ReadonlyArray<Pick<Claim, 'id' | 'entry' | 'record'>>): Promise<number> {
    const { lease, queue, records, tries, buried } = this.#shards[shard]!
    return Number(unfenced(await this.#options.commands.write(ACKNOWLEDGE, {
      keys: [lease, queue, records, tries, buried], args: [token, ...saved.flatMap(({ id, entry, record }) => [id, entry, stampOf(record)])]
    })))
  }

  /** They could not be saved. @returns what becomes of each, in their order @throws FencedError */
  async fail (shard: number, token: string, failures: readonly Failure[]): Promise<readonly Fate[]> {
    const { lease, queue, records, tries, dead, buried } = this.#shards[shard]!
    return unfenced(await this.#options.commands.write(FAIL, {
      keys: [lease, queue, records, tries, dead, buried],
      args: [token, ...failures.flatMap((one) => [one.id, one.entry, stampOf(one.record), one.tries, one.dead ?? ''])]
    })) as Fate[]
  }

  /** Takes the shard, or keeps it: only while the lease lasts. @returns how many entries wait in it, or undefined where it is not to be had */
  async tend (shard: number, token: string, duration: number, how: 'take' | 'renew'): Promise<number | undefined> {
    const { lease, queue, tries } = this.#shards[shard]!
    const length = Number(await this.#options.commands.write(TEND, { keys: [lease, queue, tries], args: [token, Math.ceil(duration), how] }))
    return length < 0 ? undefined : length
  }

  /** Gives the shard back. */
  async release (shard: number, token: string): Promise<void> {
    const { commands, channel, name } = this.#options
    const { lease, queue } = this.#shards[shard]!
    await commands.write(RELEASE, { keys: [lease, queue], args: [token, channel, `${name}:${shard}`] })
  }

  /** Says that a process is there to share the work. @returns those that are, in an order that is the same for all of them */
  async join (member: string, absence: number): Promise<string[]> {
    const { commands, prefix, name } = this.#options
    return (await commands.write<string[]>(JOIN, { keys: [membersKey(prefix, name)], args: [member, Math.ceil(absence)] })).sort()
  }

  async leave (member: string): Promise<void> {
    const { commands, prefix, name } = this.#options
    await commands.write(LEAVE, { keys: [membersKey(prefix, name)], args: [member] })
  }

  async depth (shard: number): Promise<Depth> {
    const { records, queue, dead } = this.#shards[shard]!
    const [waiting, age, letters] = await this.#options.commands.write<Array<number | string>>(DEPTH, { keys: [records, queue, dead], args: [] })
    return { waiting: Number(waiting), lag: Math.max(0, Number(age)), dead: Number(letters) }
  }

  /**
   * What could not be saved of a shard, from that entry on; not all of it where it is large.
   *
   * @param from an entry of the stream, after `(` where it is not meant itself
   */
  async letters (shard: number, from: string, count: number): Promise<{ readonly letters: Letter[], readonly hasMore: boolean }> {
    const { dead, buried, records } = this.#shards[shard]!
    const [found, more] = await this.#options.commands.writeBuffers(LETTERS, { keys: [dead, buried, records], args: [from, count] }) as [Buffer[][], Buffer]
    return {
      hasMore: more.length > 0,
      letters: found.map(([entry, id, record, tries, reason, isLast]) => ({
        entry: entry!.toString(), id: id!.toString(), record: record!, tries: Number(tries!.toString()), reason: reason!.toString(), superseded: isLast!.toString() === '0'
      }))
    }
  }

  /** It has been saved without the queue: what lies with the dead of its id is older. */
  async supersede (shard: number, id: string): Promise<void> {
    await this.#options.commands.write(SUPERSEDE, { keys: [this.#shards[shard]!.buried], args: [id] })
  }

  /** Sees what versions others have given out. */
  async seeVersions (): Promise<void> {
    const found = await this.#options.commands.get(this.#shards.map(({ version }) => version))
    for (const version of found) if (version instanceof Buffer) this.see(Number(version.toString()))
  }

  /** Queues it once more, under the version that it has. */
  async replay (shard: number, entry: string): Promise<'queued' | 'superseded' | 'gone'> {
    const { commands, channel, name } = this.#options
    const { dead, buried, records, queue } = this.#shards[shard]!
    return await commands.write(REPLAY, { keys: [dead, buried, records, queue], args: [entry, channel, `${name}:${shard}`] })
  }

  async discard (shard: number, entry: string): Promise<boolean> {
    const { dead, buried } = this.#shards[shard]!
    return Number(await this.#options.commands.write(DISCARD, { keys: [dead, buried], args: [entry] })) === 1
  }

  /** No write gets this version, or a lower one, from this process any more. */
  see (version: number): number {
    // What is damaged may have none.
    if (Number.isSafeInteger(version)) this.#highest = Math.max(this.#highest, version)
    return version
  }
}

/** @throws FencedError */
function unfenced (answer: unknown): unknown {
  if (typeof answer !== 'object' && Number(answer) === FENCED) throw new FencedError()
  return answer
}
