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

interface Shard {
  readonly asked: Asked[]
  /** Those that found no room. */
  readonly aside: Asked[]
  sending: Promise<void> | undefined
  /** Until they are tried again. */
  timer: NodeJS.Timeout | undefined
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
  readonly #shards: readonly Shard[]
  #closedBy: Error | undefined

  constructor (options: IntakeOptions) {
    this.#options = options
    this.#shards = Array.from({ length: options.shards }, () => ({ asked: [], aside: [], sending: undefined, timer: undefined }))
  }

  /** Rejects where it was not queued, or it is not known whether it was; then so do those of its id that came after it. */
  async enqueue (shard: number, id: string, payload: Buffer): Promise<Queued> {
    const own = this.#shards[shard]!
    return await new Promise((resolve, reject) => {
      const asked = { id, payload, resolve, reject, until: performance.now() + this.#options.fullTimeout }
      // Of an id, the later write is not to overtake the earlier.
      if (own.aside.some((other) => other.id === id)) own.aside.push(asked)
      else {
        own.asked.push(asked)
        this.#begin(shard)
      }
    })
  }

  /** There is room in the shard again. */
  roomIn (shard: number): void {
    if (this.#shards[shard]!.timer !== undefined) this.#tryAgain(shard)
  }

  /** Nobody waits for room any more. Resolves when what is under way has been answered. */
  async close (error: Error): Promise<void> {
    this.#closedBy = error
    for (const { asked, aside, timer } of this.#shards) {
      clearTimeout(timer)
      refuse(asked, error)
      refuse(aside, error)
    }
    await Promise.all(this.#shards.map(async ({ sending }) => { await sending }))
  }

  #begin (shard: number): void {
    this.#shards[shard]!.sending ??= Promise.resolve().then(() => this.#send(shard))
  }

  /** Never rejects. */
  async #send (shard: number): Promise<void> {
    const own = this.#shards[shard]!
    const { asked } = own
    while (asked.length > 0) {
      const some = takeBatch(asked)
      try {
        const queued = await this.#enqueue(shard, some)
        some.forEach((one, index) => { if (queued[index] !== undefined) one.resolve(queued[index]) })
        const full = some.filter((_one, index) => queued[index] === undefined)
        if (full.length > 0) this.#setAside(shard, full)
      } catch (error) {
        // Not before what else is done with the earlier ones of its id.
        refuse([...some, ...takeOf(asked, some)], error)
      }
    }
    own.sending = undefined
  }

  /** Those that found no room, and what came after them of their ids, wait, and the others go on. */
  #setAside (shard: number, full: readonly Asked[]): void {
    const own = this.#shards[shard]!
    own.aside.push(...full, ...takeOf(own.asked, full))
    if (this.#closedBy !== undefined) refuse(own.aside, this.#closedBy)
    else own.timer ??= setTimeout(() => { this.#tryAgain(shard) }, FULL_PAUSE)
  }

  #tryAgain (shard: number): void {
    const own = this.#shards[shard]!
    clearTimeout(own.timer)
    own.timer = undefined
    const now = performance.now()
    const waiting = own.aside.splice(0)
    for (const { until, reject } of waiting) if (until <= now) reject(this.#options.fullError())
    own.asked.unshift(...waiting.filter(({ until }) => until > now))
    this.#begin(shard)
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
}

function refuse (asked: Asked[], error: unknown): void {
  for (const { reject } of asked.splice(0)) reject(error)
}

/** Takes those out that are of the ids of the others. */
function takeOf (asked: Asked[], others: readonly Asked[]): Asked[] {
  const ids = new Set(others.map(({ id }) => id))
  return asked.splice(0).filter((one) => {
    if (ids.has(one.id)) return true
    asked.push(one)
    return false
  })
}

/** Takes the first out, as many as one script is to have. */
function takeBatch (asked: Asked[]): Asked[] {
  let [count, bytes] = [0, 0]
  while (count < asked.length && count < MOST && (count === 0 || bytes + asked[count]!.payload.length <= MOST_BYTES)) bytes += asked[count++]!.payload.length
  return asked.splice(0, count)
}
