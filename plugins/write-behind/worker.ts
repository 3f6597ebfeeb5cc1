import { randomBytes } from 'node:crypto'
import { loggableError } from '../shared/loggable-error.js'
import { backoff } from './backoff.js'
import { OwnedShard } from './owned-shard.js'
import type { Outcome, Saver } from './saver.js'
import { FencedError, type Claim, type Failure, type WriteLog } from './write-log.js'

export interface WorkerOptions {
  log: WriteLog
  saver: Saver
  /** Milliseconds that a shard is this process' alone after it was last tended. */
  lease: number
  /** Milliseconds that a write waits, for others of its id to come. */
  delay: number
  /** Writes that are saved together, at most. */
  batch: number
  /** Batches that are under way at a time. */
  concurrency: number
  /** How often a write is tried before it is given up. */
  attempts: number
  /** Milliseconds between two tries: the first, and at most. */
  retry: { readonly first: number, readonly longest: number }
  random: () => number
  events: WorkerEvents
}

export interface WorkerEvents {
  /** @param elapsed milliseconds */
  onSaved: (claims: readonly Claim[], elapsed: number) => void
  onFailed: (claim: Claim, error: unknown, tries: number) => void
  /** It lies with the dead from now on. */
  onDead: (claim: Claim, error: unknown, tries: number) => void
  /** The source is away; asked again in so many milliseconds. */
  onOutage: (error: unknown, pause: number) => void
  onRedisError: (error: unknown) => void
}

/** Milliseconds after which what Redis did not answer is asked again. */
const AGAIN = 100

/** The share of a lease after which no save is begun: to begin takes its time too. */
const SAFE = 0.9

/** Claims that are read ahead of those that are saved, in batches. */
const BATCHES_AHEAD = 2

/** Saves what waits in the shards that this process owns. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #owned = new Map<number, OwnedShard>()
  /** Shards of which the lease is being asked for. */
  readonly #keeping = new Set<number>()
  /** Tokens under which it was asked for without an answer: it may have been given. */
  readonly #unanswered = new Map<number, string>()
  readonly #running = new Set<Promise<void>>()
  #outages = 0
  #pausedUntil = -Infinity
  #timer: NodeJS.Timeout | undefined
  #draining = false
  #closed = false
  readonly counts = { saved: 0, overtaken: 0, failed: 0, dead: 0 }

  constructor (options: WorkerOptions) {
    this.#options = options
  }

  /** How many shards are this process' own. */
  get shards (): number {
    return this.#owned.size
  }

  owns (shard: number): boolean {
    return this.#owned.has(shard)
  }

  /** Something waits in the shard. */
  wake (shard: number): void {
    const owned = this.#owned.get(shard)
    if (owned === undefined) return
    const before = owned.nextRead
    owned.wake()
    if (owned.nextRead !== before) this.#pump()
  }

  /** Something may wait in any of them: messages were missed. */
  wakeAll (): void {
    for (const shard of this.#owned.values()) shard.wake()
    this.#pump()
  }

  /** Takes the shards that are this process' to own, keeps those that it owns, and gives back the others. Never rejects. */
  async tend (isOurs: (shard: number) => boolean, shards: number): Promise<void> {
    await Promise.all(Array.from({ length: shards }, async (_, shard) => { await this.tendOne(shard, isOurs(shard)) }))
  }

  async tendOne (shard: number, isOurs: boolean): Promise<void> {
    const owned = this.#owned.get(shard)
    if (owned !== undefined) owned.leaving = !isOurs
    // What is under way ends first: the next owner is not to begin beside it.
    if (isOurs || (owned?.underWay ?? 0) > 0) await this.#keep(shard)
    else if (owned !== undefined) await this.#giveBack(owned)
    this.#pump()
  }

  /** Saves what it can without waiting for what has failed; resolves when nothing more can be saved, or at the deadline. */
  async drain (deadline: number): Promise<void> {
    this.#draining = true
    for (const shard of this.#owned.values()) shard.readNow()
    this.#pump()
    while (performance.now() < deadline && this.#options.log.available && !this.#isDrained()) await wait(Math.min(20, deadline - performance.now()))
  }

  /** What is under way is aborted; what has not been acknowledged stays for the next owner. */
  async close (): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const owned = [...this.#owned.values()]
    for (const { lease } of owned) lease.abort(new Error('the app closes'))
    await Promise.all(this.#running)
    await Promise.all(owned.map(async (shard) => { await this.#giveBack(shard) }))
  }

  #isDrained (): boolean {
    const now = performance.now()
    return this.#running.size === 0 && (now < this.#pausedUntil || [...this.#owned.values()].every((shard) => shard.leaving || !(shard.mayHaveMore || shard.hasFresh || shard.nextDue! <= now)))
  }

  async #keep (shard: number): Promise<void> {
    // Under two tokens at once, the second would be refused for the first.
    if (this.#keeping.has(shard)) return
    this.#keeping.add(shard)
    await this.#tend(shard)
    this.#keeping.delete(shard)
  }

  /** Never rejects. */
  async #tend (shard: number): Promise<void> {
    const { log, lease, delay, batch, events } = this.#options
    const known = this.#owned.get(shard)
    const token = known?.token ?? this.#unanswered.get(shard) ?? randomBytes(12).toString('base64url')
    this.#unanswered.set(shard, token)
    const asked = performance.now()
    try {
      const waiting = await log.tend(shard, token, lease)
      this.#unanswered.delete(shard)
      if (this.#closed) return await this.#forget(shard, token)
      if (waiting === undefined) return this.#lose(shard)
      const owned = known ?? new OwnedShard({ log, shard, token, delay, ahead: BATCHES_AHEAD * batch, onUnreadable: (claim, error) => { void this.#giveUp(shard, claim, error) } })
      owned.leaseUntil = asked + lease
      this.#owned.set(shard, owned)
      // Messages can be lost.
      if (waiting > 0) owned.wake()
    } catch (error) {
      events.onRedisError(error)
    }
  }

  async #giveBack ({ shard, token }: OwnedShard): Promise<void> {
    this.#owned.delete(shard)
    await this.#forget(shard, token)
  }

  async #forget (shard: number, token: string): Promise<void> {
    await this.#options.log.release(shard, token).catch(this.#options.events.onRedisError)
  }

  #lose (shard: number): void {
    this.#owned.get(shard)?.lease.abort(new FencedError())
    this.#owned.delete(shard)
  }

  #pump (): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    const now = performance.now()
    const owned = [...this.#owned.values()].filter(({ leaving }) => !leaving)
    for (const shard of owned) void this.#read(shard)
    for (const shard of now < this.#pausedUntil ? [] : owned) this.#begin(shard, now)
    const reads = Math.min(...owned.map(({ nextRead = Infinity }) => nextRead))
    const saves = this.#running.size < this.#options.concurrency ? Math.max(this.#pausedUntil, Math.min(...owned.map(({ nextDue = Infinity }) => nextDue))) : Infinity
    const next = Math.min(reads, saves)
    if (next < Infinity) this.#timer = setTimeout(() => { this.#pump() }, Math.max(1, next - now)).unref()
  }

  #begin (shard: OwnedShard, now: number): void {
    const { concurrency, batch } = this.#options
    while (this.#running.size < concurrency && this.#isSafe(shard)) {
      const claims = shard.take(now, batch, this.#draining)
      if (claims.length === 0) return
      const running = this.#save(shard, claims).finally(() => {
        this.#running.delete(running)
        if (shard.leaving && shard.underWay === 0 && this.owns(shard.shard)) void this.#giveBack(shard)
        this.#pump()
      })
      this.#running.add(running)
    }
  }

  #isSafe ({ leaseUntil }: OwnedShard): boolean {
    const { lease } = this.#options
    return performance.now() < leaseUntil - (1 - SAFE) * lease
  }

  async #read (shard: OwnedShard): Promise<void> {
    try {
      if (await shard.read()) this.#pump()
    } catch (error) {
      this.#failed(shard, error)
    }
  }

  #failed ({ shard }: OwnedShard, error: unknown): void {
    if (error instanceof FencedError) this.#lose(shard)
    else this.#options.events.onRedisError(error)
  }

  /** Never rejects. */
  async #save (shard: OwnedShard, claims: readonly Claim[]): Promise<void> {
    const { saver, events } = this.#options
    try {
      const batch = await shard.latest(claims)
      if (batch.writes.length === 0) return
      // Whoever was paused here must not begin a save that another process may have got.
      if (!this.#isSafe(shard)) return this.#putOff(shard, batch.claims)
      const began = performance.now()
      const outcomes = await saver.run(batch.writes, shard.lease.signal)
      if (shard.lease.signal.aborted) return
      const saved = batch.claims.filter((_claim, index) => outcomes[index]!.error === undefined)
      if (saved.length > 0) {
        this.#outages = 0
        events.onSaved(saved, performance.now() - began)
        this.counts.saved += saved.length
      }
      await Promise.all([this.#acknowledge(shard, saved), this.#notSaved(shard, batch.claims, outcomes)])
    } catch (error) {
      this.#failed(shard, error)
      this.#putOff(shard, claims)
    }
  }

  /** Until Redis has heard it, or the lease has ended: then they are saved once more. */
  async #acknowledge (shard: OwnedShard, saved: readonly Claim[]): Promise<void> {
    if (saved.length === 0) return
    while (!shard.lease.signal.aborted) {
      try {
        const overtaken = await this.#options.log.acknowledge(shard.shard, shard.token, saved)
        this.counts.overtaken += overtaken
        shard.ended(saved)
        if (overtaken > 0) shard.wake()
        return
      } catch (error) {
        this.#failed(shard, error)
        await wait(AGAIN)
      }
    }
  }

  async #notSaved (shard: OwnedShard, claims: readonly Claim[], outcomes: readonly Outcome[]): Promise<void> {
    const failed = claims.flatMap((claim, index) => outcomes[index]!.error === undefined ? [] : [{ claim, ...outcomes[index]! }])
    if (failed.length === 0) return
    const { attempts, log } = this.#options
    const outage = failed.find(({ isOutage }) => isOutage)
    if (outage !== undefined) this.#pause(outage.error)
    const counted = failed.filter(({ isOutage }) => !isOutage).map((one) => ({ ...one, tries: one.claim.tries + 1, isDead: one.claim.tries + 1 >= attempts }))
    const failures = counted.map(({ claim, error, tries, isDead }): Failure => ({ ...claim, tries, dead: isDead ? reasonOf(error) : undefined }))
    try {
      if (failures.length > 0) await log.fail(shard.shard, shard.token, failures)
    } catch (error) {
      this.#failed(shard, error)
      this.#putOff(shard, failed.map(({ claim }) => claim))
      return
    }
    this.counts.failed += failed.length
    for (const { claim, isOutage } of failed) if (isOutage) shard.again(claim, claim.tries, this.#pausedUntil)
    for (const { claim, error, tries, isDead } of counted) this.#counted(shard, claim, error, tries, isDead)
  }

  #counted (shard: OwnedShard, claim: Claim, error: unknown, tries: number, isDead: boolean): void {
    const { retry, random, events } = this.#options
    if (!isDead) {
      shard.again(claim, tries, performance.now() + backoff(tries, { ...retry, random }))
      events.onFailed(claim, error, tries)
      return
    }
    this.counts.dead++
    shard.ended([claim])
    // A newer write may have come meanwhile.
    shard.wake()
    events.onDead(claim, error, tries)
  }

  async #giveUp (shard: number, claim: Claim, error: Error): Promise<void> {
    const owned = this.#owned.get(shard)
    if (owned === undefined) return
    await this.#notSaved(owned, [{ ...claim, tries: this.#options.attempts }], [{ error, isOutage: false }])
  }

  #putOff (shard: OwnedShard, claims: readonly Claim[]): void {
    for (const claim of claims) shard.again(claim, claim.tries, performance.now() + AGAIN)
  }

  #pause (error: unknown): void {
    const { retry, random, events } = this.#options
    const now = performance.now()
    // Those that were under way together are one outage.
    if (now < this.#pausedUntil) return
    const pause = backoff(++this.#outages, { ...retry, random })
    this.#pausedUntil = now + pause
    events.onOutage(error, pause)
  }
}

/** What was wrong, as a text that lies with the dead letters. */
export function reasonOf (error: unknown): string {
  const { type, code, message } = loggableError(error)
  return `${code ?? type}: ${message}`
}

async function wait (milliseconds: number): Promise<void> {
  await new Promise((resolve) => { setTimeout(resolve, Math.max(0, milliseconds)) })
}
