import { isReply, UnavailableError } from '../shared/redis-commands.js'
import type { Queued, Queueing, WriteLog } from './write-log.js'

export interface IntakeOptions {
  log: WriteLog
  shards: number
  /** Milliseconds that a write waits for room. */
  fullTimeout: number
  /** A write that found no room. */
  fullError: () => Error
}

interface Asked extends Queueing {
  readonly resolve: (queued: Queued) => void
  readonly reject: (error: unknown) => void
  /** On the clock of `performance.now`: so long it waits for room. */
  readonly until: number
}

/** So often is sent what Redis has not answered: as many failures open the breaker. */
const ATTEMPTS = 3

/** Writes, and bytes of them, that go to Redis in one script: it does nothing else while that runs. */
const MOST = 200
const MOST_BYTES = 2 ** 20

/** Milliseconds after which a shard that was full is tried again, unless something has been saved of it here. */
const FULL_PAUSE = 50

/**
 * Takes writes to Redis: those of a shard one after the other, so that of two writes of an id the later one has the higher version;
 * and what comes while one script is under way together in the next (group commit).
 */
export class Intake {
  readonly #options: IntakeOptions
  readonly #asked: Asked[][]
  readonly #sending = new Map<number, Promise<void>>()
  readonly #full = new Map<number, () => void>()
  #closedBy: Error | undefined

  constructor (options: IntakeOptions) {
    this.#options = options
    this.#asked = Array.from({ length: options.shards }, () => [])
  }

  /** Rejects where it was not queued, or it is not known whether it was; then so do those of its id that came after it. */
  async enqueue (shard: number, id: string, payload: Buffer): Promise<Queued> {
    return await new Promise((resolve, reject) => {
      this.#asked[shard]!.push({ id, payload, resolve, reject, until: performance.now() + this.#options.fullTimeout })
      if (this.#sending.has(shard)) return
      this.#sending.set(shard, Promise.resolve().then(() => this.#send(shard)))
    })
  }

  /** Something has been saved of the shard. */
  roomIn (shard: number): void {
    this.#full.get(shard)?.()
  }

  /** Nobody waits for room any more. Resolves when what is under way has been answered. */
  async close (error: Error): Promise<void> {
    this.#closedBy = error
    for (const asked of this.#asked) refuse(asked, error)
    for (const go of this.#full.values()) go()
    await Promise.all(this.#sending.values())
  }

  /** Never rejects. */
  async #send (shard: number): Promise<void> {
    const asked = this.#asked[shard]!
    while (asked.length > 0) {
      const some = takeBatch(asked)
      try {
        const queued = await this.#enqueue(shard, some)
        const full: Asked[] = []
        some.forEach((one, index) => {
          const own = queued[index]
          if (own === undefined) full.push(one)
          else one.resolve(own)
        })
        // In front of those that came later: of an id, the later write is not to be overtaken by the earlier.
        asked.unshift(...full)
        if (this.#closedBy !== undefined) refuse(asked, this.#closedBy)
        else if (full.length > 0) await this.#roomFor(shard)
      } catch (error) {
        // Not before what else is done with the earlier ones of its id.
        const ids = new Set(some.map(({ id }) => id))
        const later = asked.splice(0)
        asked.push(...later.filter(({ id }) => !ids.has(id)))
        for (const { reject } of [...some, ...later.filter(({ id }) => ids.has(id))]) reject(error)
      }
    }
    this.#sending.delete(shard)
  }

  /** Where no answer came they may be queued: nobody has been told yet, and so once more does no harm. */
  async #enqueue (shard: number, some: readonly Asked[]): Promise<ReadonlyArray<Queued | undefined>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#options.log.enqueue(shard, some)
      } catch (error) {
        if (attempt === ATTEMPTS || isReply(error) || error instanceof UnavailableError) throw error
      }
    }
  }

  async #roomFor (shard: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const go = (): void => {
        clearTimeout(timer)
        this.#full.delete(shard)
        resolve()
      }
      const timer = setTimeout(go, FULL_PAUSE)
      this.#full.set(shard, go)
    })
    const asked = this.#asked[shard]!
    const now = performance.now()
    const over = asked.filter(({ until }) => until <= now)
    if (over.length === 0) return
    asked.splice(0, asked.length, ...asked.filter(({ until }) => until > now))
    for (const { reject } of over) reject(this.#options.fullError())
  }
}

function refuse (asked: Asked[], error: Error): void {
  for (const { reject } of asked.splice(0)) reject(error)
}

/** Takes the first out, as many as one script is to have. */
function takeBatch (asked: Asked[]): Asked[] {
  let [count, bytes] = [0, 0]
  while (count < asked.length && count < MOST && (count === 0 || bytes + asked[count]!.payload.length <= MOST_BYTES)) bytes += asked[count++]!.payload.length
  return asked.splice(0, count)
}
