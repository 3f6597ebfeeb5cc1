import type { EventLoopUtilization } from 'node:perf_hooks'
import type { DurationSummary } from '../shared/recent-durations.js'
import type { RequestContext } from '../shared/request-context.js'
import { advise, type Advice } from './advice.js'
import { BusyError } from './errors.js'
import type { Dirt } from './dirt.js'
import { Holds, isLong, type Holder, type Hold, type HoldReport } from './holds.js'
import { predictedWait } from './predicted-wait.js'
import { PROMPT, Readiness } from './readiness.js'
import { RecentLoad } from './recent-load.js'
import { refused } from './unavailable.js'

export interface PoolGauges {
  /** Connections open now, or being opened. */
  size: number
  /** Of those, the ones that nobody holds. */
  idle: number
  /** Callers queued for a connection. */
  waiting: number
  /** The most connections the pool opens. */
  max: number
}

/** Since the start. */
export interface PoolCounters {
  /** Callers that asked for a connection: `acquired + timeouts + failed + refused + expired`, and those that wait. */
  asked: number
  acquired: number
  /** Connections that came back: `acquired` less those in use. */
  released: number
  /** Connections opened, and closed: the difference is `size`, but for those that are being opened or closed. */
  opened: number
  closed: number
  /** Callers to whom the driver gave none in its own time. */
  timeouts: number
  /** Callers whom the driver could not give any. */
  failed: number
  /** Callers of a route with a deadline that would have waited for longer. */
  refused: number
  /** Callers of a route with a deadline that did wait for so long. */
  expired: number
  /** Idle connections that broke. */
  errors: number
  /** Connections held for longer than `leakThreshold`. */
  leaked: number
  /** Connections given back with a transaction, a cursor or a query. */
  dirty: number
}

export interface PoolStatus extends PoolGauges, PoolCounters {
  kind: 'pg' | 'mongodb'
  /** Whether it can serve, as far as is known: not while the app closes, nor while the database is away, nor while all connections are held for longer than `leakThreshold`. */
  ready: boolean
  /** Of those held now, how many for longer than `leakThreshold`. */
  leaking: number
  /** How long callers waited because of the pool: all were in use, or one had to be opened. 0 for who did not wait. Milliseconds, of the last one to two minutes, as all that follow. */
  wait: DurationSummary
  /** How long callers waited because the event loop was busy: one was to be had all the time. */
  delay: DurationSummary
  /** How long connections were held. */
  hold: DurationSummary
  /** How long it took to open one. */
  creation: DurationSummary
}

export interface WatchSettings {
  /** A monotonic clock, milliseconds. */
  now: () => number
  leakThreshold: number
  /** For so long a leaked connection is left to its holder; `false`: for ever. */
  destroyLeaked: number | false
  /** Who holds a connection for longer is slow. */
  slowHold: number
  /** How long a caller may wait: undefined where its route says nothing. */
  deadlineOf: (context: RequestContext | undefined) => number | undefined
}

/** What a watch tells of a pool. */
export interface WatchReports {
  broken (error: Error): void
  leaked (report: HoldReport): void
  /** A leaked one came back, or was taken away. */
  returned (report: HoldReport, how: 'returned' | 'taken away'): void
  dirty (dirt: Dirt, isDestroyed: boolean, report: HoldReport): void
  /** The database does not answer. */
  away (): void
  /** It answers again, after so many milliseconds. */
  back (elapsed: number): void
  /** Milliseconds: 0 for who was not even let wait. */
  refused (waits: { waited: number, predicted: number }, context: RequestContext | undefined): void
}

/** How it was when a caller began to wait. */
export interface Waiting {
  /** On the clock of the watch, milliseconds. */
  readonly since: number
  /** Whether all connections were in use; else one was opened. */
  readonly isFull: boolean
  readonly utilization: EventLoopUtilization
}

/** One pool under watch, whatever its driver: its figures, who holds its connections, what it needs. */
export abstract class PoolWatch {
  abstract readonly kind: 'pg' | 'mongodb'
  readonly name: string
  protected readonly settings: WatchSettings
  protected readonly reports: WatchReports
  protected readonly holds: Holds
  protected readonly load: RecentLoad
  protected readonly readiness: Readiness
  protected readonly counters: PoolCounters = {
    asked: 0, acquired: 0, released: 0, opened: 0, closed: 0, timeouts: 0, failed: 0, refused: 0, expired: 0, errors: 0, leaked: 0, dirty: 0
  }

  #peak = 0
  #awaySince: number | undefined

  constructor (name: string, settings: WatchSettings, reports: WatchReports) {
    this.name = name
    this.settings = settings
    this.reports = reports
    this.holds = new Holds()
    this.load = new RecentLoad(settings.slowHold, settings.now())
    this.readiness = new Readiness(settings.now, async () => { await this.probe() }, () => this.#isStuck(), (isAway) => { this.#isAwayNow(isAway) })
  }

  protected abstract gauges (): PoolGauges

  /** Since when each of those waits that found no connection, milliseconds. */
  protected abstract waitingSince (): Iterable<number>

  /** Asks the database for a sign of life. Rejects where there is none in time. */
  protected abstract probe (): Promise<void>

  /** Whether who holds it for so long may have forgotten it. Else its driver returns it when its query is done, which is slow. */
  protected abstract isLeak (hold: Hold): boolean

  /** Leaves the pool as it was. */
  abstract close (): void

  status (): PoolStatus {
    return {
      kind: this.kind,
      ready: this.readiness.isLikely,
      ...this.gauges(),
      leaking: this.#leaking(),
      ...this.counters,
      ...this.load.durations
    }
  }

  /** What is the matter with it, by the last one to two minutes. */
  advise (): Advice {
    return advise({
      ...this.load.load(this.settings.now(), { holding: this.holds.present(), waiting: this.waitingSince() }),
      max: this.gauges().max,
      peak: this.#peak,
      acquiredEver: this.counters.acquired,
      leaked: this.#leaking((hold) => this.isLeak(hold)),
      awayFor: this.#awaySince === undefined ? undefined : this.settings.now() - this.#awaySince
    })
  }

  /** Who holds its connections now, those with most first. */
  holders (): Holder[] {
    return this.holds.holders(this.settings.now())
  }

  /** How long who asks now would wait for a connection, milliseconds. */
  predictedWait (): number {
    return this.predictedFor(this.gauges())
  }

  /** @throws BusyError where who asks now would wait for longer than `deadline` */
  admit (deadline: number, context: RequestContext | undefined): void {
    const predicted = this.predictedWait()
    if (predicted <= deadline) return
    this.counters.asked++
    throw this.refusal(predicted, context)
  }

  /** Whether it can serve; asks the database where nothing has come from it lately. Never rejects. */
  async isReady (): Promise<boolean> {
    return await this.readiness.ask()
  }

  /** Looks for leaks, lets the figures become old, and asks a database that may be away whether it is there. To be called twice a second. */
  look (): void {
    const { now, leakThreshold, destroyLeaked } = this.settings
    const moment = now()
    this.load.look(moment, this.holds.present())
    this.readiness.look()
    for (const hold of this.holds.longerThan(leakThreshold, moment)) {
      if (!hold.isReported) {
        hold.isReported = true
        this.counters.leaked++
        this.reports.leaked(this.holds.report(hold, moment))
      }
      if (destroyLeaked === false || moment - hold.since < destroyLeaked || hold.release === undefined) continue
      const report = this.holds.report(hold, moment)
      hold.isTaken = true
      hold.release(true)
      // Last: whoever is told may have its holder give it back.
      this.reports.returned(report, 'taken away')
    }
  }

  /** The app closes: it is not ready from now on. */
  closing (): void {
    this.readiness.close()
  }

  /** The ages of connections that are being opened, milliseconds. */
  protected openingFor (_now: number): Iterable<number> {
    return []
  }

  /** The database was found to be away, or is back. */
  protected awayChanged (_isAway: boolean): void {}

  protected predictedFor ({ size, idle, waiting, max }: PoolGauges): number {
    return idle + max - size > waiting ? 0 : this.predictedBehind(waiting)
  }

  protected predictedBehind (waiting: number): number {
    return predictedWait(waiting, this.load.usualHold, this.#ages(this.settings.now()))
  }

  protected waitFrom (since: number, isFull: boolean): Waiting {
    return { since, isFull, utilization: performance.eventLoopUtilization() }
  }

  /** A connection is in use, for whom need not be known yet. */
  protected begun (): Hold {
    const hold = this.holds.begin(this.settings.now())
    if (this.holds.size > this.#peak) this.#peak = this.holds.size
    return hold
  }

  /** It is for one of those who asked. */
  protected counted (hold: Hold): void {
    hold.isCounted = true
    this.counters.acquired++
  }

  /** @param isAnswer whether the database has done what it was asked */
  protected ended (hold: Hold, isAnswer: boolean): void {
    this.holds.end(hold)
    const now = this.settings.now()
    if (isAnswer) this.readiness.answered(now)
    if (hold.isCounted) {
      this.counters.released++
      this.load.held(hold.since, now, now - hold.since >= this.settings.slowHold && isLong(hold))
    }
    if (hold.isReported && !hold.isTaken) this.reports.returned(this.holds.report(hold, now), 'returned')
    hold.asked = undefined
    hold.connection = undefined
    hold.release = undefined
  }

  /** @param wait none: there was a connection to be had all the time */
  protected waited (milliseconds: number, wait: Waiting | undefined): void {
    if (wait === undefined) this.load.waited(milliseconds, 1, false)
    else this.load.waited(milliseconds, performance.eventLoopUtilization(wait.utilization).utilization, wait.isFull)
  }

  /** What a caller gets that would wait for too long. */
  protected refusal (predicted: number, context: RequestContext | undefined): Error {
    this.counters.refused++
    this.load.turnedAway()
    this.reports.refused({ waited: 0, predicted }, context)
    return this.#busy(predicted, context)
  }

  /** What a caller gets that has waited for too long. */
  protected expiry (wait: Waiting, context: RequestContext | undefined): Error {
    const waited = this.settings.now() - wait.since
    const predicted = this.predictedWait()
    this.counters.expired++
    this.waited(waited, wait)
    this.reports.refused({ waited, predicted }, context)
    return this.#busy(predicted, context)
  }

  #busy (predicted: number, context: RequestContext | undefined): Error {
    return refused(new BusyError(`the pool ${this.name}`), predicted, context?.request)
  }

  * #ages (now: number): Generator<number> {
    for (const since of this.holds.since()) yield now - since
    yield * this.openingFor(now)
  }

  #isAwayNow (isAway: boolean): void {
    const now = this.settings.now()
    this.awayChanged(isAway)
    if (isAway) {
      this.#awaySince = now
      this.reports.away()
      return
    }
    const elapsed = now - this.#awaySince!
    this.#awaySince = undefined
    // How long callers waited for it, and how often they came again, says nothing of the pool.
    if (elapsed >= PROMPT) this.load.restart(now)
    this.reports.back(elapsed)
  }

  /** All connections are with holders that may never return them. */
  #isStuck (): boolean {
    const { max } = this.gauges()
    let stuck = 0
    for (const hold of this.holds.longerThan(this.settings.leakThreshold, this.settings.now())) if (this.isLeak(hold)) stuck++
    return stuck >= max
  }

  #leaking (isMeant: (hold: Hold) => boolean = () => true): number {
    let leaking = 0
    for (const hold of this.holds.longerThan(this.settings.leakThreshold, this.settings.now())) if (hold.isReported && isMeant(hold)) leaking++
    return leaking
  }
}
