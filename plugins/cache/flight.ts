import type { Entry } from '../shared/entry.js'
import { withResolvers } from '../shared/with-resolvers.js'
import { addAbortCallback, removeAbortCallback } from './abort-callbacks.js'
import { BusyError, TimeoutError } from './errors.js'
import type { Fence } from './fences.js'
import type { Kept } from './kept.js'
import { LoadRun } from './load-run.js'
import type { Moment } from './tags.js'

/** What a caller accepts, and how long it waits. Milliseconds. */
export interface Patience {
  readonly stale: number
  readonly staleOnError: number
  readonly softTimeout: number | undefined
  readonly hardTimeout: number
  readonly signal: AbortSignal | undefined
}

/** What all flights have in common. */
export interface FlightRules {
  readonly maxWaiters: number
  /** Whether a stale value may be given out to a caller that accepts one so old, in milliseconds over its end. */
  acceptable (candidate: Kept, fence: Fence, over: number): boolean
  /** A caller was given the candidate. */
  onOffered (candidate: Kept): void
}

/** The outcome is not for this caller: it asks again. */
export const AGAIN = Symbol('again')

type Outcome = Entry | typeof AGAIN

/** Why the loader of a batch stops: those who waited for the rest have given up, and this one was not its to load. */
const LANDED = new DOMException('Nobody waits for what is still being loaded', 'AbortError')

/** A caller that waits. */
class Waiter {
  readonly patience: Patience
  readonly joined: Moment
  /** Milliseconds that the caller has waited for other loads already. */
  readonly waited: number
  /** Whether it came when the run had been aborted already. */
  readonly late: boolean
  readonly outcome = withResolvers<Outcome>()
  soft: NodeJS.Timeout | undefined
  hard: NodeJS.Timeout | undefined
  readonly #run: LoadRun
  readonly #among: Set<Waiter>
  readonly #noLongerAwaited: () => void
  readonly #onAbort: (() => void) | undefined

  /** @throws ReentryError */
  constructor (patience: Patience, joined: Moment, waited: number, run: LoadRun, among: Set<Waiter>) {
    const { signal } = patience
    this.patience = patience
    this.joined = joined
    this.waited = waited
    this.late = run.aborted
    this.#among = among
    this.#noLongerAwaited = run.awaitedBy(LoadRun.current)
    this.#run = run
    if (signal === undefined) {
      run.wantAnyhow()
      return
    }
    run.want()
    this.#onAbort = () => {
      run.wantNoMore(signal.reason)
      this.fail(signal.reason)
    }
    addAbortCallback(signal, this.#onAbort)
  }

  /** With what its flight brought. */
  land (outcome: Outcome): void {
    this.settle(outcome)
    if (this.patience.signal !== undefined) this.#run.wantNoMore(LANDED)
  }

  /** With something else; what the flight brings is still to be kept. */
  settle (outcome: Outcome): void {
    this.#leave()
    this.outcome.resolve(outcome)
  }

  fail (error: unknown): void {
    this.#leave()
    this.outcome.reject(error)
  }

  #leave (): void {
    this.#among.delete(this)
    if (this.soft !== undefined) clearTimeout(this.soft)
    if (this.hard !== undefined) clearTimeout(this.hard)
    if (this.#onAbort !== undefined) removeAbortCallback(this.patience.signal!, this.#onAbort)
    this.#noLongerAwaited()
  }
}

/**
 * One key on its way: read from Redis, else loaded. All who ask meanwhile wait here, each as long as it says, and share
 * the value or the error.
 */
export class Flight {
  /** Settles, and never rejects, when Redis has been asked; undefined from then on. */
  reading: Promise<void> | undefined
  readonly key: string
  readonly run: LoadRun
  readonly fence: Fence
  /** Those that its caller named. */
  readonly tags: readonly string[]
  /** Whoever joins later may have seen an invalidation that it has not. */
  readonly began: Moment
  /** Of a renewal: what ends no later than this, wall-clock milliseconds, is no news. */
  readonly newerThan: number | undefined
  /** From when it is loaded here even while another process loads it, on the clock of `performance.now`. */
  aloneFrom = Infinity
  /** When it began, on the same clock. */
  readonly since = performance.now()
  /** Whether it has waited for the load of another process. */
  elsewhere = false
  readonly #rules: FlightRules
  #waiters: Set<Waiter> | undefined
  /** Callers that have entered and not left. */
  #readers = 0
  #found: Entry | undefined
  #candidate: Kept | undefined
  #loading = false
  #landed: ((waiter: Waiter) => void) | undefined

  constructor (run: LoadRun, fence: Fence, tags: readonly string[], began: Moment, rules: FlightRules, newerThan?: number) {
    this.key = fence.key
    this.run = run
    this.fence = fence
    this.tags = tags
    this.began = began
    this.newerThan = newerThan
    this.#rules = rules
  }

  /** Whether anybody waits. */
  get awaited (): boolean {
    return this.#readers > 0 || (this.#waiters?.size ?? 0) > 0
  }

  /**
   * While Redis is asked, a caller needs nothing of its own to wait: it answers soon or not at all. To be followed by
   * `leave` when `reading` has settled. @throws BusyError
   */
  enter (): void {
    this.#admit()
    this.run.want()
    this.#readers++
  }

  /** @returns what Redis had, if that is the outcome; else the load is to be waited for */
  leave (): Entry | undefined {
    const found = this.#found
    if (found === undefined) this.run.wantAnyhow()
    else this.run.wantNoMore(LANDED)
    // A flight outlives its landing, in tables that V8 has not collected yet. The value need not.
    if (--this.#readers === 0) this.#found = undefined
    return found
  }

  /** The newest stale value known, for those who accept it. */
  get candidate (): Kept | undefined {
    return this.#candidate
  }

  /**
   * @param joined when the caller came
   * @param waited milliseconds that it has waited for other loads already
   * @throws what the load threw, the signal's reason, BusyError, ReentryError or TimeoutError
   */
  async outcome (patience: Patience, joined: Moment, waited = 0): Promise<Outcome> {
    if (this.reading !== undefined && patience.signal === undefined) {
      this.enter()
      await this.reading
      const found = this.leave()
      if (found !== undefined) return found
    }
    return await this.#wait(patience, joined, waited)
  }

  /** A stale value has been found: who accepts it need not wait. */
  offer (candidate: Kept): void {
    if (this.#candidate !== undefined && this.#candidate.freshUntil >= candidate.freshUntil) return
    this.#candidate = candidate
    for (const waiter of this.#waiters ?? []) this.#offerTo(waiter, waiter.patience.stale)
  }

  /** Somebody has deleted what stood there: from now on no older value is given out. */
  withdraw (): void {
    this.#candidate = undefined
  }

  /** To all who accept the candidate at all, and to nobody later: whether it is deleted will not be heard. */
  offerLast (): void {
    for (const waiter of this.#waiters ?? []) this.#offerTo(waiter, atMost(waiter))
    this.#candidate = undefined
  }

  /** The load has begun: from now on it is a matter of patience. Until then it was one of Redis, whose commands have their own time. */
  loading (): void {
    if (this.#loading) return
    this.#loading = true
    for (const waiter of this.#waiters ?? []) this.#arm(waiter)
  }

  /** With what Redis had. */
  landFound (entry: Entry): void {
    if (this.#readers > 0) this.#found = entry
    if (this.#waiters !== undefined) this.land(entry)
  }

  /** @param overtaken whether a tag of the value was invalidated after the flight began: then who joined since asks again */
  land (entry: Entry, overtaken = false): void {
    this.#settleAll((waiter) => { waiter.land(overtaken && waiter.joined > this.began ? AGAIN : entry) })
  }

  /** Whether the candidate may be given out to a caller that accepts one so old, in milliseconds over its end. */
  accepts (candidate: Kept, over: number): boolean {
    return this.#rules.acceptable(candidate, this.fence, over)
  }

  /** The candidate instead, for all who accept it at all; the others ask again. */
  landStale (): void {
    this.#settleAll((waiter) => { if (!this.#offerTo(waiter, atMost(waiter))) waiter.settle(AGAIN) })
  }

  /** There is something newer on its way, which all share who still wait. */
  landAgain (): void {
    this.#settleAll((waiter) => { waiter.settle(AGAIN) })
  }

  fail (error: unknown): void {
    this.#settleAll((waiter) => {
      if (waiter.late) waiter.settle(AGAIN)
      else if (!this.#offerTo(waiter, atMost(waiter))) waiter.fail(error)
    })
  }

  #admit (): void {
    const { maxWaiters } = this.#rules
    if (this.#readers + (this.#waiters?.size ?? 0) >= maxWaiters) throw new BusyError(maxWaiters)
  }

  #wait (patience: Patience, joined: Moment, waited: number): Promise<Outcome> {
    patience.signal?.throwIfAborted()
    this.#admit()
    this.#waiters ??= new Set()
    const waiter = new Waiter(patience, joined, waited, this.run, this.#waiters)
    this.#waiters.add(waiter)
    if (this.#landed !== undefined) this.#landed(waiter)
    else if (!this.#offerTo(waiter, patience.stale) && this.#loading) this.#arm(waiter)
    return waiter.outcome.promise
  }

  #settleAll (settle: (waiter: Waiter) => void): void {
    this.#landed = settle
    for (const waiter of this.#waiters ?? []) settle(waiter)
  }

  #offerTo (waiter: Waiter, accepts: number): boolean {
    const candidate = this.#candidate
    if (candidate === undefined || !this.accepts(candidate, accepts)) return false
    this.#rules.onOffered(candidate)
    waiter.settle(candidate.value)
    return true
  }

  #arm (waiter: Waiter): void {
    const { patience: { softTimeout, hardTimeout }, waited } = waiter
    const left = (timeout: number): number => Math.max(0, timeout - waited)
    if (softTimeout !== undefined) waiter.soft = setTimeout(() => { this.#offerTo(waiter, atMost(waiter)) }, left(softTimeout)).unref()
    waiter.hard = setTimeout(() => {
      if (!this.#offerTo(waiter, atMost(waiter))) waiter.fail(new TimeoutError(hardTimeout))
    }, left(hardTimeout)).unref()
  }
}

/** How far over its end a value may be for a caller for whom there is no better one. Milliseconds. */
function atMost ({ patience: { stale, staleOnError } }: Waiter): number {
  return Math.max(stale, staleOnError)
}
