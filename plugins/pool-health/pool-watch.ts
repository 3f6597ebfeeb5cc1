import { RecentDurations, type DurationSummary } from '../shared/recent-durations.js'
import type { RequestContext } from '../shared/request-context.js'
import { advise, type Advice } from './advice.js'
import { BusyError, comeAgain } from './errors.js'
import type { Dirt } from './dirt.js'
import { Holds, type Holder, type Hold, type LeakReport } from './holds.js'
import { predictedWait } from './predicted-wait.js'

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
  /** Whether it can serve, as far as is known: not while the app closes, nor while the database is away, nor while nothing comes back to an exhausted pool. */
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
  leaked (report: LeakReport): void
  /** A leaked one came back, or was taken away. */
  returned (report: LeakReport, how: 'returned' | 'taken away'): void
  dirty (dirt: Dirt, destroyed: boolean, report: LeakReport): void
  refused (waited: number, predicted: number): void
}

/** Milliseconds in which the figures become old. */
const WINDOW = 60_000

/** What has answered so lately need not be asked whether it is there. */
const FRESH = 5_000

/** A connection's share in the mean of how long one is held. */
const WEIGHT = 1 / 16

/** Milliseconds in which a pool that is ready has a connection to give. */
export const PROMPT = 1_000

/** Of so much of its time the event loop is busy when it, and not the pool, lets callers wait. */
const BUSY = 0.9

/** One pool under watch, whatever its driver: its figures, who holds its connections, what it needs. */
export abstract class PoolWatch {
  abstract readonly kind: 'pg' | 'mongodb'
  readonly name: string
  protected readonly settings: WatchSettings
  protected readonly reports: WatchReports
  protected readonly holds: Holds
  protected readonly counters: PoolCounters = {
    asked: 0, acquired: 0, released: 0, opened: 0, closed: 0, timeouts: 0, failed: 0, refused: 0, expired: 0, errors: 0, leaked: 0, dirty: 0
  }

  /** When those began that are being opened for somebody. */
  protected readonly opening = new Set<{ readonly since: number }>()
  readonly #wait = new RecentDurations()
  readonly #delay = new RecentDurations()
  readonly #hold = new RecentDurations()
  readonly #creation = new RecentDurations()
  /** Of the window that runs, and of the one before it. */
  #current: Window
  #previous: Window
  #peak = 0
  #meanHold = 0
  #isAway = false
  #isInDoubt = false
  #isClosing = false
  #lastAnswer = -Infinity
  #asking: Promise<boolean> | undefined

  constructor (name: string, settings: WatchSettings, reports: WatchReports) {
    this.name = name
    this.settings = settings
    this.reports = reports
    this.holds = new Holds(name)
    this.#current = newWindow(settings.now())
    this.#previous = this.#current
  }

  protected abstract gauges (): PoolGauges

  /** Whether who holds it for so long may have forgotten it. Else its driver returns it when its query is done, which is slow. */
  protected abstract isLeak (hold: Hold): boolean

  /** Asks the database for a sign of life. Rejects where there is none in time. */
  protected abstract ask (): Promise<void>

  status (): PoolStatus {
    return {
      kind: this.kind,
      ready: !this.#isClosing && !this.#isAway && (this.#hasAnswered() || this.predictedWait() <= PROMPT),
      ...this.gauges(),
      leaking: this.#leaking(),
      ...this.counters,
      wait: this.#wait.summary(),
      delay: this.#delay.summary(),
      hold: this.#hold.summary(),
      creation: this.#creation.summary()
    }
  }

  /** What is the matter with it, by the last one to two minutes. */
  advise (): Advice {
    const now = this.settings.now()
    const { slowHold } = this.settings
    const windows = this.#current === this.#previous ? [this.#current] : [this.#previous, this.#current]
    const sum = (figure: Exclude<keyof Window, 'since'>): number => windows.reduce((total, window) => total + window[figure], 0)
    let held = sum('held')
    let heldSlowly = sum('heldSlowly')
    let slow = sum('slow')
    for (const age of this.holds.ages(now)) {
      const within = Math.min(age, now - this.#previous.since)
      held += within
      if (age < slowHold) continue
      heldSlowly += within
      slow++
    }
    return advise({
      max: this.gauges().max,
      peak: this.#peak,
      acquiredEver: this.counters.acquired,
      elapsed: now - this.#previous.since,
      wait: this.#wait.summary(),
      waited: sum('waited'),
      hold: this.#hold.summary(),
      held,
      heldSlowly,
      slow,
      turnedAway: sum('turnedAway'),
      leaked: this.#leaking((hold) => this.isLeak(hold))
    })
  }

  /** Who holds its connections now, those with most first. */
  holders (): Holder[] {
    return this.holds.holders(this.settings.now())
  }

  /** How long who asks now would wait for a connection, milliseconds. */
  predictedWait (): number {
    const { size, idle, waiting, max } = this.gauges()
    return idle + max - size > waiting ? 0 : this.predictedBehind(waiting)
  }

  /** @throws BusyError where who asks now would wait for longer than `deadline` */
  admit (deadline: number): void {
    const predicted = this.predictedWait()
    if (predicted <= deadline) return
    this.counters.asked++
    throw this.refusal(0, predicted)
  }

  /** Whether it can serve: by what it last did, or, where that is long ago, by what the database answers now. */
  async isReady (): Promise<boolean> {
    if (this.#isClosing) return false
    if (!this.#isAway && !this.#isInDoubt && this.#hasAnswered()) return true
    this.#asking ??= this.ask().then(() => { this.answered(); return true }, () => false).finally(() => { this.#asking = undefined })
    return await this.#asking && !this.#isClosing
  }

  /** Looks for leaks, lets the figures become old, and asks a database that is away, or may be, whether it is there. To be called twice a second. */
  look (): void {
    const { now, leakThreshold, destroyLeaked } = this.settings
    const moment = now()
    if (moment - this.#current.since >= WINDOW) this.#rotate(moment)
    if (this.#isAway || this.#isInDoubt) void this.isReady()
    for (const hold of this.holds.longerThan(leakThreshold, moment)) {
      if (!hold.isReported) {
        hold.isReported = true
        this.counters.leaked++
        this.reports.leaked(this.holds.report(hold, moment))
      }
      if (destroyLeaked === false || moment - hold.since < destroyLeaked || hold.release === undefined) continue
      this.reports.returned(this.holds.report(hold, moment), 'taken away')
      hold.isTaken = true
      hold.release(true)
    }
  }

  /** The app closes: it is not ready from now on. */
  closing (): void {
    this.#isClosing = true
  }

  /** Leaves the pool as it was. */
  abstract close (): void

  protected predictedBehind (waiting: number): number {
    const now = this.settings.now()
    return predictedWait(waiting, this.#meanHold, this.#ages(now))
  }

  /** Somebody has a connection. */
  protected acquired (): Hold {
    const hold = this.taken()
    this.counted(hold)
    return hold
  }

  /** A connection is in use, for whom need not be known yet. */
  protected taken (): Hold {
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
  protected released (hold: Hold, isAnswer: boolean): void {
    this.holds.end(hold)
    const now = this.settings.now()
    if (isAnswer) {
      this.#isAway = false
      this.#isInDoubt = false
      this.#lastAnswer = now
    }
    if (hold.isCounted) this.#record(hold, now)
    if (hold.isReported && !hold.isTaken) this.reports.returned(this.holds.report(hold, now), 'returned')
  }

  #record (hold: Hold, now: number): void {
    this.counters.released++
    const age = now - hold.since
    this.#hold.record(age)
    this.#meanHold = this.#meanHold === 0 ? age : this.#meanHold + (age - this.#meanHold) * WEIGHT
    const current = this.#current
    const within = Math.min(age, now - this.#previous.since)
    current.held += within
    if (age >= this.settings.slowHold) {
      current.heldSlowly += within
      current.slow++
    }
  }

  /**
   * How long a caller waited, and why.
   *
   * @param from none: there was one to be had all the time
   */
  protected waited (milliseconds: number, from: Waiting | undefined): void {
    if (from === undefined) {
      this.#wait.record(0)
      this.#delay.record(milliseconds)
      return
    }
    // The event loop had no time for what would have brought the connection back, so more connections would not have helped.
    if (performance.eventLoopUtilization(from.utilization).utilization >= BUSY) {
      this.#wait.record(0)
      this.#delay.record(milliseconds)
    } else {
      this.#wait.record(milliseconds)
      if (from.isFull) this.#current.waited++
    }
  }

  /** The driver gave up a caller that had waited in its queue. */
  protected timedOut (): void {
    this.counters.timeouts++
    this.#current.turnedAway++
  }

  protected created (milliseconds: number): void {
    this.#creation.record(milliseconds)
  }

  /** What a caller gets who would wait for too long, or has waited so long. */
  protected refusal (waited: number, predicted: number): Error {
    if (waited === 0) this.counters.refused++
    else this.counters.expired++
    this.#current.turnedAway++
    this.reports.refused(waited, predicted)
    return comeAgain(new BusyError(`the pool ${this.name}`), predicted)
  }

  protected answered (): void {
    this.#isAway = false
    this.#isInDoubt = false
    this.#lastAnswer = this.settings.now()
  }

  protected isAway (): void {
    this.#isAway = true
  }

  /** A connection was lost: that may be all that was, or the first sign that the database is. It is asked with the next look. */
  protected inDoubt (): void {
    this.#isInDoubt = true
  }

  * #ages (now: number): Generator<number> {
    yield * this.holds.ages(now)
    for (const { since } of this.opening) yield now - since
  }

  #hasAnswered (): boolean {
    return this.settings.now() - this.#lastAnswer < FRESH
  }

  #leaking (isMeant: (hold: Hold) => boolean = () => true): number {
    let leaking = 0
    for (const hold of this.holds.longerThan(this.settings.leakThreshold, this.settings.now())) if (hold.isReported && isMeant(hold)) leaking++
    return leaking
  }

  #rotate (moment: number): void {
    for (const durations of [this.#wait, this.#delay, this.#hold, this.#creation]) durations.rotate()
    this.#previous = this.#current
    this.#current = newWindow(moment)
  }
}

/** How it was when a caller began to wait. */
export interface Waiting {
  readonly since: number
  /** Whether all connections were in use; else one was opened. */
  readonly isFull: boolean
  readonly utilization: ReturnType<typeof performance.eventLoopUtilization>
}

/** What is counted, and not measured, of a window. Milliseconds. */
interface Window {
  readonly since: number
  waited: number
  turnedAway: number
  held: number
  heldSlowly: number
  slow: number
}

function newWindow (since: number): Window {
  return { since, waited: 0, turnedAway: 0, held: 0, heldSlowly: 0, slow: 0 }
}
