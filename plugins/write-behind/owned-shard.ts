import { setMaxListeners } from 'node:events'
import { asError } from '../shared/redis-commands.js'
import { writeOf, versionOf, type Write } from './record.js'
import { FencedError, type Claim, type WriteLog } from './write-log.js'

/** A claim that is to be saved, at once or later. */
interface Waiting {
  readonly claim: Claim
  /** On the clock of `performance.now`. */
  readonly due: number
}

const NOTHING = Buffer.alloc(0)

/** Bytes of records that are read ahead. */
const BYTES_AHEAD = 8 * 2 ** 20

/** Milliseconds after which what Redis did not answer is read again. */
const READ_AGAIN = 100

/** What is to be saved now, with what stands in Redis for it. */
export interface Batch {
  readonly claims: readonly Claim[]
  readonly writes: readonly Write[]
}

export interface OwnedShardOptions {
  log: WriteLog
  shard: number
  token: string
  /** Milliseconds that a write waits, for others of its id to come. */
  delay: number
  /** Claims that are read ahead. */
  ahead: number
  /** What stands in Redis cannot be read: damaged, or of a later release. */
  onUnreadable: (claim: Claim, error: Error) => void
}

/**
 * A shard of which this process is the owner: what of it is to be saved, and when. Of an id one save is under way at a time, since
 * it waits in one place of the stream only.
 */
export class OwnedShard {
  readonly shard: number
  readonly token: string
  /** Aborts when the lease has ended. */
  readonly lease = new AbortController()
  readonly #options: OwnedShardOptions
  #fresh: Waiting[] = []
  /** In the order of their times. */
  #later: Waiting[] = []
  readonly #freshIds = new Set<string>()
  readonly #laterIds = new Set<string>()
  readonly #underWay = new Set<string>()
  #freshBytes = 0
  /** It is another's to own: nothing more of it is begun here. */
  leaving = false
  #leaseUntil = -Infinity
  #leaseEnd: NodeJS.Timeout | undefined
  /** Milliseconds. */
  #delay: number
  #cursor = '0'
  /** When the stream is to be read on; never, where it has nothing that was not read yet. On the clock of `performance.now`. */
  #readAt = -Infinity
  #reading = false

  constructor (options: OwnedShardOptions) {
    this.#options = options
    this.shard = options.shard
    this.token = options.token
    this.#delay = options.delay
    // Each batch that has some of it listens.
    setMaxListeners(0, this.lease.signal)
  }

  /** On the clock of `performance.now`: till then nobody else can own it. */
  get leaseUntil (): number {
    return this.#leaseUntil
  }

  /** The lease lasts until then. Where that is not heard again, what is under way is told to end: another process may begin. */
  renew (until: number): void {
    this.#leaseUntil = until
    clearTimeout(this.#leaseEnd)
    this.#leaseEnd = setTimeout(() => { this.end(new FencedError()) }, until - performance.now()).unref()
  }

  /** What is under way is told to end. */
  end (reason: Error): void {
    clearTimeout(this.#leaseEnd)
    this.lease.abort(reason)
  }

  /** What comes from now on waits for no others of its id. */
  hasten (): void {
    this.#delay = 0
    this.#readAt = -Infinity
  }

  get underWay (): number {
    return this.#underWay.size
  }

  /** Whether the stream may have what was not read yet. */
  get mayHaveMore (): boolean {
    return this.#reading || this.#readAt < Infinity
  }

  /** When it is to be read on; undefined where there is nothing to read, or no room for it. */
  get nextRead (): number | undefined {
    return this.#readAt < Infinity && !this.#reading && this.#room > 0 ? this.#readAt : undefined
  }

  /** Something has been added to the stream. It is read when its time has come: then it has what came after it, too. */
  wake (): void {
    this.#readAt = Math.min(this.#readAt, performance.now() + this.#delay)
  }

  /** None until half of what is read ahead has been taken: to ask for a few at a time costs as much as to ask for many. */
  get #room (): number {
    const { ahead } = this.#options
    return this.#fresh.length > ahead / 2 || this.#freshBytes > BYTES_AHEAD / 2 ? 0 : ahead - this.#fresh.length
  }

  /** Reads on; to be called when `nextRead` has come. @throws FencedError, or where Redis does not answer */
  async read (): Promise<void> {
    const { log } = this.#options
    const room = this.#room
    this.#reading = true
    this.#readAt = Infinity
    try {
      const asked = performance.now()
      const { claims, cursor, wait } = await log.claim(this.shard, this.token, { cursor: this.#cursor, count: room, delay: this.#delay })
      this.#cursor = cursor
      if (wait !== undefined) this.#readAt = Math.min(this.#readAt, asked + wait)
      for (const claim of claims) this.#add({ claim, due: asked })
    } catch (error) {
      this.#readAt = performance.now() + READ_AGAIN
      throw error
    } finally {
      this.#reading = false
    }
  }

  /** When the next one is due that can be taken; undefined where none waits. */
  get nextDue (): number | undefined {
    const [fresh, later] = [this.#fresh, this.#later].map((waiting) => waiting.find(({ claim }) => !this.#underWay.has(claim.id))?.due)
    return fresh === undefined ? later : Math.min(fresh, later ?? Infinity)
  }

  /** Takes out those that are due, at most so many; they are to be given back by `ended` or `again`. */
  take (now: number, most: number): Claim[] {
    const taken: Claim[] = []
    const takeFrom = (waiting: readonly Waiting[]): Waiting[] => waiting.filter(({ claim, due }) => {
      // Of an id one save is under way at a time.
      if (taken.length === most || due > now || this.#underWay.has(claim.id)) return true
      taken.push(claim)
      this.#underWay.add(claim.id)
      return false
    })
    this.#later = takeFrom(this.#later)
    for (const { id } of taken) this.#laterIds.delete(id)
    const old = taken.length
    this.#fresh = takeFrom(this.#fresh)
    for (const { id, record } of taken.slice(old)) {
      this.#freshIds.delete(id)
      this.#freshBytes -= record.length
    }
    return taken
  }

  /**
   * What is to be saved of them: of those that had to wait, what has come since.
   *
   * @throws FencedError, or where Redis does not answer
   */
  async latest (claims: readonly Claim[]): Promise<Batch> {
    const old = claims.filter(({ tries, record }) => tries > 0 || record.length === 0)
    const records = new Map<string, Buffer | undefined>()
    if (old.length > 0) {
      const found = await this.#options.log.reclaim(this.shard, this.token, old)
      old.forEach(({ id }, index) => { records.set(id, found[index]) })
    }
    const batch = { claims: [] as Claim[], writes: [] as Write[] }
    for (const claim of claims) {
      const record = records.has(claim.id) ? records.get(claim.id) : claim.record
      if (record === undefined) {
        this.ended([claim])
        continue
      }
      const version = versionOf(record)
      // A newer write begins anew, whatever became of the one before it.
      const current = version === claim.version ? { ...claim, record } : { ...claim, record, version, tries: 0, alone: false }
      try {
        const write = writeOf(claim.id, record)
        batch.claims.push(current)
        batch.writes.push(write)
      } catch (error) {
        this.#options.onUnreadable(current, asError(error))
      }
    }
    return batch
  }

  /** They are not under way any more. */
  ended (claims: ReadonlyArray<Pick<Claim, 'id'>>): void {
    for (const { id } of claims) this.#underWay.delete(id)
  }

  /** It is to be saved again, at that time. What stands in Redis by then is read anew, and need not be held on to. */
  again (claim: Claim, tries: number, due: number): void {
    this.#underWay.delete(claim.id)
    // It was put back into the stream, behind others, and read from there.
    if (this.#freshIds.has(claim.id)) return
    const waiting = { claim: { ...claim, tries, record: NOTHING }, due }
    this.#later.splice(this.#later.findLastIndex((other) => other.due <= due) + 1, 0, waiting)
    this.#laterIds.add(claim.id)
  }

  /** In the place of what of its id was to be saved later: an id stands in one place of the stream only, and this is where. */
  #add (waiting: Waiting): void {
    const { id, record } = waiting.claim
    if (this.#laterIds.delete(id)) this.#later = this.#later.filter(({ claim }) => claim.id !== id)
    this.#fresh.push(waiting)
    this.#freshIds.add(id)
    this.#freshBytes += record.length
  }
}
