import { withResolvers } from '../shared/with-resolvers.js'
import type { Entry } from './entry.js'
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

export interface FlightOptions {
  key: string
  run: LoadRun
  fence: Fence
  /** The tags that its caller named. */
  tags: readonly string[]
  /** When it began; whoever joins later may have seen an invalidation that it has not. */
  began: Moment
  maxWaiters: number
  /** Whether a stale value may be given out to a caller that accepts one so old, in milliseconds over its end. */
  acceptable: (candidate: Kept, over: number) => boolean
  /** A caller was given the candidate. */
  onOffered: (candidate: Kept) => void
}

/** The outcome is not for this caller: it asks again. */
export const AGAIN = Symbol('again')

type Outcome = Entry | typeof AGAIN

/** A caller that waits. */
class Waiter {
  readonly patience: Patience
  readonly joined: Moment
  /** On the clock of `performance.now`, milliseconds. */
  readonly since = performance.now()
  /** Whether it came when the run had been aborted already. */
  readonly late: boolean
  readonly outcome = withResolvers<Outcome>()
  soft: NodeJS.Timeout | undefined
  hard: NodeJS.Timeout | undefined
  readonly #onLeave: (waiter: Waiter) => void
  readonly #noLongerAwaited: () => void
  readonly #onAbort: (() => void) | undefined

  /** @throws ReentryError */
  constructor (patience: Patience, joined: Moment, run: LoadRun, onLeave: (waiter: Waiter) => void) {
    const { signal } = patience
    this.patience = patience
    this.joined = joined
    this.late = run.aborted
    this.#onLeave = onLeave
    this.#noLongerAwaited = run.awaitedBy(LoadRun.current)
    const giveUp = run.want(signal)
    if (signal === undefined) return
    this.#onAbort = () => {
      giveUp(signal.reason)
      this.fail(signal.reason)
    }
    signal.addEventListener('abort', this.#onAbort)
  }

  settle (outcome: Outcome): void {
    this.#leave()
    this.outcome.resolve(outcome)
  }

  fail (error: unknown): void {
    this.#leave()
    this.outcome.reject(error)
  }

  #leave (): void {
    this.#onLeave(this)
    clearTimeout(this.soft)
    clearTimeout(this.hard)
    if (this.#onAbort !== undefined) this.patience.signal!.removeEventListener('abort', this.#onAbort)
    this.#noLongerAwaited()
  }
}

/**
 * One key on its way: read from Redis, else loaded. All who ask meanwhile wait here, each as long as it says, and share
 * the value or the error.
 */
export class Flight {
  readonly key: string
  readonly run: LoadRun
  readonly fence: Fence
  readonly tags: readonly string[]
  readonly began: Moment
  readonly #options: FlightOptions
  readonly #waiters = new Set<Waiter>()
  #candidate: Kept | undefined
  #loading = false
  #landed: ((waiter: Waiter) => void) | undefined
  readonly #leave = (waiter: Waiter): void => { this.#waiters.delete(waiter) }

  constructor (options: FlightOptions) {
    this.key = options.key
    this.run = options.run
    this.fence = options.fence
    this.tags = options.tags
    this.began = options.began
    this.#options = options
  }

  /** The newest stale value known, for those who accept it. */
  get candidate (): Kept | undefined {
    return this.#candidate
  }

  /** @throws the signal's reason, BusyError or ReentryError, at once */
  wait (patience: Patience, joined: Moment): Promise<Outcome> {
    const { signal } = patience
    signal?.throwIfAborted()
    if (this.#waiters.size >= this.#options.maxWaiters) throw new BusyError(this.#options.maxWaiters)
    const waiter = new Waiter(patience, joined, this.run, this.#leave)
    this.#waiters.add(waiter)
    if (this.#landed !== undefined) this.#landed(waiter)
    else if (!this.#offerTo(waiter, patience.stale) && this.#loading) this.#arm(waiter)
    return waiter.outcome.promise
  }

  /** A stale value has been found: who accepts it need not wait. */
  offer (candidate: Kept): void {
    if (this.#candidate !== undefined && this.#candidate.freshUntil >= candidate.freshUntil) return
    this.#candidate = candidate
    for (const waiter of this.#waiters) this.#offerTo(waiter, waiter.patience.stale)
  }

  /** The load has begun: from now on it is a matter of patience. */
  loading (): void {
    this.#loading = true
    for (const waiter of this.#waiters) this.#arm(waiter)
  }

  /** @param overtaken whether a tag of the value was invalidated after the flight began: then who joined since asks again */
  land (entry: Entry, overtaken = false): void {
    this.#settleAll((waiter) => { waiter.settle(overtaken && waiter.joined > this.began ? AGAIN : entry) })
  }

  /** Whether the candidate may be given out to a caller that accepts one so old, in milliseconds over its end. */
  accepts (candidate: Kept, over: number): boolean {
    return this.#options.acceptable(candidate, over)
  }

  /** The candidate instead, for all who accept it at all; the others ask again. */
  landStale (): void {
    this.#settleAll((waiter) => { if (!this.#offerTo(waiter, waiter.patience.staleOnError)) waiter.settle(AGAIN) })
  }

  fail (error: unknown): void {
    this.#settleAll((waiter) => {
      if (waiter.late) waiter.settle(AGAIN)
      else if (!this.#offerTo(waiter, atMost(waiter))) waiter.fail(error)
    })
  }

  #settleAll (settle: (waiter: Waiter) => void): void {
    this.#landed = settle
    for (const waiter of this.#waiters) settle(waiter)
  }

  #offerTo (waiter: Waiter, accepts: number): boolean {
    const candidate = this.#candidate
    if (candidate === undefined || !this.accepts(candidate, accepts)) return false
    this.#options.onOffered(candidate)
    waiter.settle(candidate.value)
    return true
  }

  #arm (waiter: Waiter): void {
    const { patience: { softTimeout, hardTimeout }, since } = waiter
    const left = (timeout: number): number => Math.max(0, timeout - (performance.now() - since))
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
