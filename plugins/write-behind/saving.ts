import { setTimeout as wait } from 'node:timers/promises'
import { loggableError } from '../shared/loggable-error.js'
import { backoff } from './backoff.js'
import type { OwnedShard } from './owned-shard.js'
import type { Write } from './record.js'
import type { Outcome, Saver } from './saver.js'
import { FencedError, type Claim, type Fate, type WriteLog } from './write-log.js'

export interface SavingOptions {
  log: WriteLog
  saver: Saver
  /** Milliseconds that a shard is this process' alone after it was last tended. */
  lease: number
  /** How often a write is tried before it is given up. */
  attempts: number
  /** Milliseconds between two tries: the first, and at most. */
  retry: { readonly first: number, readonly longest: number }
  random: () => number
  events: SavingEvents
}

export interface SavingEvents {
  /** @param elapsed milliseconds */
  onSaved: (claims: readonly Claim[], elapsed: number) => void
  /** Something of the shard does not wait any more. */
  onRoom: (shard: number) => void
  onFailed: (claim: Claim, error: unknown, tries: number) => void
  /** It lies with the dead from now on. */
  onDead: (claim: Claim, error: unknown, tries: number) => void
  /** The source is away; asked again in so many milliseconds. */
  onOutage: (error: unknown, pause: number) => void
  onRedisError: (error: unknown) => void
}

/** What of a batch is of one shard. */
export interface Part {
  readonly shard: OwnedShard
  readonly claims: readonly Claim[]
}

/** With what stands in Redis for it, of which a save is begun. */
interface Begun extends Part {
  readonly writes: readonly Write[]
}

interface Failed {
  readonly claim: Claim
  readonly error: Error
}

/** Milliseconds after which what Redis did not answer is asked again. */
const AGAIN = 100

/** The share of a lease after which no save is begun: to begin takes its time too. */
const SAFE = 0.9

/** Saves batches, and tells Redis how that went. */
export class Saving {
  readonly #options: SavingOptions
  #outages = 0
  #pausedUntil = -Infinity
  readonly counts = { saved: 0, retries: 0, dead: 0 }

  constructor (options: SavingOptions) {
    this.#options = options
  }

  /** Until when the source is left alone, because it was away; on the clock of `performance.now`. */
  get pausedUntil (): number {
    return this.#pausedUntil
  }

  get isPaused (): boolean {
    return performance.now() < this.#pausedUntil
  }

  /** Whether a save can be begun before another process may own the shard. */
  isSafe ({ leaseUntil, lease }: OwnedShard): boolean {
    return !lease.signal.aborted && performance.now() < leaseUntil - (1 - SAFE) * this.#options.lease
  }

  /** Never rejects. Resolves when Redis knows. @param onSaved the source is done with them */
  async save (parts: readonly Part[], onSaved: () => void): Promise<void> {
    const { saver, events } = this.#options
    const latest = (await Promise.all(parts.map(async (part) => await this.#latest(part)))).flatMap((part) => part ?? [])
    // Whoever was paused here must not begin a save that another process may have got.
    const begun = latest.filter(({ shard }) => this.isSafe(shard))
    for (const part of latest) if (!begun.includes(part)) this.#putOff(part.shard, part.claims)
    const writes = begun.flatMap((part) => part.writes)
    const claims = begun.flatMap((part) => part.claims)
    const began = performance.now()
    const mayBegin = (): boolean => begun.every(({ shard }) => this.isSafe(shard))
    const lasting = new Lasting(begun.map(({ shard }) => shard.lease.signal))
    const outcomes = writes.length === 0 ? [] : await saver.run(writes, lasting.signal, (index) => claims[index]!.alone === true, mayBegin)
    lasting.end()
    const saved = claims.filter((_claim, index) => outcomes[index]!.kind === 'saved')
    if (saved.length > 0) {
      this.#outages = 0
      this.counts.saved += saved.length
      events.onSaved(saved, performance.now() - began)
    }
    onSaved()
    let first = 0
    await Promise.all(begun.map(async (part) => {
      const own = outcomes.slice(first, first += part.writes.length)
      await this.#tell(part, own)
    }))
  }

  /** It is not for the source to say: what stands in Redis cannot be read. Never rejects. */
  async giveUp (shard: OwnedShard, claim: Claim, error: Error): Promise<void> {
    await this.#failed(shard, [{ claim: { ...claim, tries: this.#options.attempts - 1 }, error }])
  }

  /** @returns undefined where nothing of it can be begun now */
  async #latest ({ shard, claims }: Part): Promise<Begun | undefined> {
    try {
      return { shard, ...await shard.latest(claims) }
    } catch (error) {
      this.#redisFailed(shard, error)
      this.#putOff(shard, claims)
    }
    return undefined
  }

  async #tell ({ shard, claims }: Part, outcomes: readonly Outcome[]): Promise<void> {
    // Another process has it, or the app closes: it is saved once more.
    if (shard.lease.signal.aborted) return
    const saved: Claim[] = []
    const failed: Failed[] = []
    claims.forEach((claim, index) => {
      const outcome = outcomes[index]!
      if (outcome.kind === 'saved') saved.push(claim)
      else if (outcome.kind === 'failed') failed.push({ claim, error: outcome.error })
      else if (outcome.kind === 'put off') this.#putOff(shard, [claim])
      else {
        this.#pause(outcome.error)
        shard.again({ ...claim, alone: true }, claim.tries, this.#pausedUntil)
      }
    })
    await Promise.all([this.#acknowledge(shard, saved), this.#failed(shard, failed)])
  }

  async #acknowledge (shard: OwnedShard, saved: readonly Claim[]): Promise<void> {
    if (saved.length === 0) return
    const { log, events } = this.#options
    const overtaken = await this.#untilHeard(shard, () => log.acknowledge(shard.shard, shard.token, saved))
    if (overtaken === undefined) return
    shard.ended(saved)
    if (overtaken > 0) shard.wake()
    events.onRoom(shard.shard)
  }

  async #failed (shard: OwnedShard, failed: readonly Failed[]): Promise<void> {
    if (failed.length === 0) return
    const { attempts, log } = this.#options
    const counted = failed.map((one) => ({ ...one, tries: one.claim.tries + 1 }))
    const failures = counted.map(({ claim, error, tries }) => ({ ...claim, tries, dead: tries >= attempts ? reasonOf(error) : undefined }))
    const fates = await this.#untilHeard(shard, () => log.fail(shard.shard, shard.token, failures))
    counted.forEach(({ claim, error, tries }, index) => { if (fates !== undefined) this.#counted(shard, claim, error, tries, fates[index]!) })
  }

  /** Until Redis has answered, or the lease has ended: then it is saved once more. */
  async #untilHeard<T> (shard: OwnedShard, tell: () => Promise<T>): Promise<T | undefined> {
    while (!shard.lease.signal.aborted) {
      try {
        return await tell()
      } catch (error) {
        this.#redisFailed(shard, error)
        await wait(AGAIN, undefined, { signal: shard.lease.signal }).catch(() => {})
      }
    }
    return undefined
  }

  #counted (shard: OwnedShard, claim: Claim, error: unknown, tries: number, fate: Fate): void {
    const { retry, random, events } = this.#options
    if (fate === 'again') {
      this.counts.retries++
      shard.again(claim, tries, performance.now() + backoff(tries, { ...retry, random }))
      events.onFailed(claim, error, tries)
      return
    }
    shard.ended([claim])
    if (fate === 'overtaken') {
      // The newer one stands behind those that have come before it.
      shard.wake()
      return
    }
    this.counts.dead++
    events.onRoom(shard.shard)
    events.onDead(claim, error, tries)
  }

  #putOff (shard: OwnedShard, claims: readonly Claim[]): void {
    for (const claim of claims) shard.again(claim, claim.tries, performance.now() + AGAIN)
  }

  #redisFailed (shard: OwnedShard, error: unknown): void {
    if (error instanceof FencedError) shard.end(error)
    else this.#options.events.onRedisError(error)
  }

  #pause (error: unknown): void {
    const { retry, random, events } = this.#options
    // Those that were under way together are one outage.
    if (this.isPaused) return
    const pause = backoff(++this.#outages, { ...retry, random })
    this.#pausedUntil = performance.now() + pause
    events.onOutage(error, pause)
  }
}

/** Aborts with the last of several signals: what is saved together goes on as long as any of it is this process' own. */
class Lasting {
  readonly #controller = new AbortController()
  readonly #signals: ReadonlySet<AbortSignal>
  readonly #onAbort = (): void => {
    const signals = [...this.#signals]
    if (signals.every(({ aborted }) => aborted)) this.#controller.abort(signals[0]?.reason)
  }

  constructor (signals: readonly AbortSignal[]) {
    this.#signals = new Set(signals)
    for (const signal of this.#signals) signal.addEventListener('abort', this.#onAbort)
  }

  get signal (): AbortSignal {
    return this.#controller.signal
  }

  end (): void {
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#onAbort)
  }
}

/** What was wrong, as a text that lies with the dead letters. */
export function reasonOf (error: unknown): string {
  const { type, code, message } = loggableError(error)
  return `${code ?? type}: ${message}`
}
