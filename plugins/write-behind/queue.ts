import { InOrder } from '../shared/in-order.js'
import { complaint, describe } from '../shared/options.js'
import { isReply } from '../shared/redis-commands.js'
import type { DeadLetter, SetResult, WriteBehind, WriteBehindStats } from './api.js'
import { buried, depth, refused, retried, saved, savedDirectly, sourceAway } from './channels.js'
import { DeadLetters } from './dead-letters.js'
import { DirectSaves, type DirectWrite } from './direct-saves.js'
import { ClosingError, comeAgain, DurabilityError, FullError, IdError, OptionError, UnavailableError, ValueError } from './errors.js'
import { Intake } from './intake.js'
import { shardOf, SHARDS } from './keys.js'
import { Membership } from './membership.js'
import { payloadOf, readableWrite, type Id, type Write } from './record.js'
import { Saver } from './saver.js'
import { reasonOf, type SavingEvents } from './saving.js'
import type { QueueSettings } from './settings.js'
import { Worker } from './worker.js'
import { WriteLog, type WriteLogOptions } from './write-log.js'

/** What goes wrong, for the log. */
export interface QueueReports {
  onRedisError: (error: unknown) => void
  onDead: (queue: string, version: number, tries: number, error: unknown) => void
  onSourceAway: (queue: string, error: unknown) => void
  onSourceBack: (queue: string) => void
  /** What the user's `onDead` or `isOutage` threw. */
  onCallbackError: (error: unknown) => void
}

export interface QueueOptions extends Omit<WriteLogOptions, 'limit'> {
  settings: QueueSettings
  /** Milliseconds. */
  lease: number
  /** Wall clock, milliseconds. */
  now: () => number
  /** As `Math.random`. */
  random: () => number
  /** @throws while what Redis is set to would lose writes */
  checkDurability: () => void
  reports: QueueReports
}

/** Bytes of an id: a script is sent with each. */
const LONGEST_ID = 1_024

const LETTERS_AT_ONCE = 100
const MOST_LETTERS = 10_000

/** One queue of writes, in one process. */
export class WriteQueue implements WriteBehind {
  readonly #options: QueueOptions
  readonly #log: WriteLog
  readonly #intake: Intake
  readonly #worker: Worker
  readonly #membership: Membership
  readonly #direct: DirectSaves
  /** Of ids of which one is saved at once: also those that came after it. */
  readonly #inOrder = new InOrder<SetResult>()
  readonly #letters: DeadLetters
  readonly #counts = { queued: 0, coalesced: 0, direct: 0, refused: 0 }
  #closing = false

  constructor (options: QueueOptions) {
    this.#options = options
    const { settings, name, lease, now, random, reports } = options
    this.#log = new WriteLog({ ...options, limit: Math.ceil(settings.limit / SHARDS) })
    const saver = new Saver({ ...settings, isOutage: guarded(settings.isOutage, reports.onCallbackError) })
    this.#intake = new Intake({ log: this.#log, shards: SHARDS, fullTimeout: settings.fullTimeout, fullError: () => comeAgain(new FullError(name)) })
    this.#worker = new Worker({ ...settings, log: this.#log, saver, lease, random, events: this.#events() })
    this.#membership = new Membership({ log: this.#log, worker: this.#worker, lease, onRedisError: reports.onRedisError, onTended: () => { this.#publishDepth() } })
    this.#direct = new DirectSaves({ saver, now, timeOf: (id) => this.#log.timeOf(shardOf(String(id))), highest: () => this.#log.highest, see: (version) => { this.#log.see(version) } })
    this.#letters = new DeadLetters(this.#log)
  }

  start (): void {
    this.#membership.start()
  }

  /** Something waits in the shard, or it was given back. */
  hear (shard: number): void {
    this.#membership.hear(shard)
  }

  /** Messages may have been missed. */
  hearAgain (): void {
    this.#worker.wakeAll()
  }

  async set (id: Id, value: unknown): Promise<SetResult> {
    const text = textOf(id)
    const payload = payloadOf(id, value)
    if ('unsupported' in payload) throw new ValueError(`it has ${payload.unsupported}`)
    const { maxBytes } = this.#options.settings
    if (payload.length > maxBytes) throw new ValueError(`it has ${payload.length} bytes, and maxBytes is ${maxBytes}`)
    try {
      this.#options.checkDurability()
      if (this.#closing) throw comeAgain(new ClosingError())
      return await this.#queue(text, { id, payload })
    } catch (error) {
      if (isRefusal(error)) {
        this.#counts.refused++
        refused.publish(() => ({ queue: this.#options.name, error }))
      }
      throw error
    }
  }

  async pending (id: Id): Promise<Write | undefined> {
    return (await this.pendingMany([id]))[0]
  }

  async pendingMany (ids: readonly Id[]): Promise<Array<Write | undefined>> {
    const texts = ids.map(textOf)
    const places = new Map<number, number[]>()
    texts.forEach((text, place) => {
      const shard = shardOf(text)
      const own = places.get(shard)
      if (own === undefined) places.set(shard, [place])
      else own.push(place)
    })
    const found: Array<Write | undefined> = new Array(texts.length)
    await this.#asked(() => Promise.all([...places].map(async ([shard, own]) => {
      const writes = await this.#log.pending(shard, own.map((place) => texts[place]!))
      writes.forEach((write, index) => { found[own[index]!] = write })
    })))
    return found
  }

  async deadLetters ({ after, count = LETTERS_AT_ONCE }: { after?: string, count?: number } = {}): Promise<DeadLetter[]> {
    if (!Number.isInteger(count) || count < 1 || count > MOST_LETTERS) throw new OptionError(complaint('count', `a whole number from 1 to ${MOST_LETTERS}`, describe(count)))
    return await this.#asked(() => this.#letters.list(after, count))
  }

  async replay (letter: string): Promise<'queued' | 'superseded' | 'gone'> {
    return await this.#asked(() => this.#letters.replay(letter))
  }

  async discard (letter: string): Promise<boolean> {
    return await this.#asked(() => this.#letters.discard(letter))
  }

  async stats (): Promise<WriteBehindStats> {
    return { ...await this.#depth(Array.from({ length: SHARDS }, (_, shard) => shard)), shards: this.#worker.shards, ...this.#counts, ...this.#worker.counts }
  }

  /** Saves what waits in the shards of this process, until the deadline; the rest stays for others, and for the next start. */
  async drain (deadline: number): Promise<void> {
    await this.#membership.leave()
    await this.#worker.drain(deadline)
  }

  async close (): Promise<void> {
    this.#closing = true
    const error = comeAgain(new ClosingError())
    await this.#intake.close(error)
    this.#direct.close(error)
    await this.#membership.stop()
    await this.#worker.close()
  }

  async #queue (text: string, write: DirectWrite): Promise<SetResult> {
    let failure: unknown
    // What comes while one of its id is saved at once is to be newer than that.
    if (!this.#inOrder.isBusy(text)) {
      try {
        return await this.#enqueue(text, write)
      } catch (error) {
        failure = unlessFinal(error)
      }
    }
    return await this.#inOrder.run(text, async (waited) => {
      if (waited && this.#log.available) {
        try {
          return await this.#enqueue(text, write)
        } catch (error) {
          failure = unlessFinal(error)
        }
      }
      await this.#checkOrder(text, failure)
      return await this.#saveAtOnce(text, write)
    }, true)
  }

  async #enqueue (text: string, { payload }: DirectWrite): Promise<SetResult> {
    const shard = shardOf(text)
    const { version, coalesced } = await this.#intake.enqueue(shard, text, payload)
    this.#counts.queued++
    if (coalesced) this.#counts.coalesced++
    this.#worker.wake(shard)
    return { version, queued: true }
  }

  async #saveAtOnce (text: string, write: DirectWrite): Promise<SetResult> {
    const { name, settings, reports } = this.#options
    const version = await this.#direct.save(write)
    this.#counts.direct++
    savedDirectly.publish(() => ({ queue: name, id: text, version }))
    // Where versions are compared, an older one that is brought back does nothing.
    if (!settings.fenced) await this.#log.supersede(shardOf(text), text).catch(reports.onRedisError)
    return { version, queued: false }
  }

  /** @param failure of the last attempt to queue @throws UnavailableError where to save at once could reorder */
  async #checkOrder (text: string, failure: unknown): Promise<void> {
    if (this.#options.settings.fenced) return
    // Redis takes no writes, but is there, and says whether one waits; who writes now from elsewhere does so at the same time.
    if (isOutOfMemory(failure)) {
      const [waiting] = await this.#log.pending(shardOf(text), [text]).catch((cause: unknown) => { throw this.#unavailable(cause) })
      if (waiting === undefined) return
    }
    throw this.#unavailable(failure)
  }

  #unavailable (cause: unknown): Error {
    const text = `a write of ${this.#options.name} could not be queued in Redis, and to save it at once could put it in the place of a newer one`
    return comeAgain(new UnavailableError(text, { cause }))
  }

  async #asked<T> (ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (cause) {
      if (cause instanceof OptionError) throw cause
      throw comeAgain(new UnavailableError(`Redis did not answer what was asked of ${this.#options.name}`, { cause }))
    }
  }

  #events (): SavingEvents {
    const { name: queue, settings, reports } = this.#options
    let isAway = false
    return {
      onSaved: (claims, elapsed) => {
        if (isAway) reports.onSourceBack(queue)
        isAway = false
        saved.publish(() => ({ queue, writes: claims.length, elapsed }))
      },
      onRoom: (shard) => { this.#intake.roomIn(shard) },
      onFailed: ({ id, version }, error, tries) => { retried.publish(() => ({ queue, id, version, tries, error })) },
      onDead: ({ id, version, record }, error, tries) => {
        reports.onDead(queue, version, tries, error)
        buried.publish(() => ({ queue, id, version, tries, error }))
        // What is the user's own must not end what saves.
        new Promise((resolve) => { resolve(settings.onDead({ ...readableWrite(id, record), tries, reason: reasonOf(error) })) }).catch(reports.onCallbackError)
      },
      onOutage: (error, pause) => {
        if (!isAway) reports.onSourceAway(queue, error)
        isAway = true
        sourceAway.publish(() => ({ queue, error, pause }))
      },
      onRedisError: reports.onRedisError
    }
  }

  #publishDepth (): void {
    if (!depth.isHeard) return
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => this.#worker.owns(shard))
    void this.#depth(shards).then(({ depth: waiting, lag, deadLetters }) => {
      if (waiting !== undefined) depth.publish(() => ({ queue: this.#options.name, depth: waiting, lag: lag!, deadLetters: deadLetters! }))
    })
  }

  async #depth (shards: readonly number[]): Promise<Pick<WriteBehindStats, 'depth' | 'lag' | 'deadLetters'>> {
    try {
      const depths = await Promise.all(shards.map((shard) => this.#log.depth(shard)))
      const sum = (of: 'waiting' | 'dead'): number => depths.reduce((all, one) => all + one[of], 0)
      return { depth: sum('waiting'), lag: Math.max(0, ...depths.map(({ lag }) => lag)), deadLetters: sum('dead') }
    } catch (error) {
      this.#options.reports.onRedisError(error)
      return { depth: undefined, lag: undefined, deadLetters: undefined }
    }
  }
}

/** What is the user's own must not end what saves. */
function guarded (judge: (error: unknown) => unknown, onError: (error: unknown) => void): (error: unknown) => boolean {
  return (error) => {
    try {
      return judge(error) === true
    } catch (thrown) {
      onError(thrown)
      return false
    }
  }
}

/** @throws IdError */
function textOf (id: Id): string {
  if (typeof id === 'number' ? !Number.isFinite(id) : typeof id !== 'string' || id === '' || !id.isWellFormed() || Buffer.byteLength(id) > LONGEST_ID) throw new IdError(describe(id))
  return String(id)
}

function isRefusal (error: unknown): boolean {
  return [FullError, UnavailableError, DurabilityError, ClosingError].some((kind) => error instanceof kind)
}

/** @throws what leaves nothing else to be tried */
function unlessFinal (error: unknown): unknown {
  if (error instanceof FullError || error instanceof ClosingError) throw error
  return error
}

/** Whether Redis refused a write for want of memory: then nothing was written, and what it says of what waits is true. */
function isOutOfMemory (error: unknown): boolean {
  return isReply(error) && (error as Error).message.includes('OOM command')
}
