import { RecentDurations, type DurationSummary } from '../shared/recent-durations.js'

/** How a request ended: by its status, or before its reply was complete. */
export type Outcome = 'ok' | 'clientError' | 'serverError' | 'aborted'

/** Milliseconds that a window is open for; what is told covers the one before it, too. */
export const WINDOW = 60_000

/** Requests of one route in the last one to two minutes. Durations in milliseconds, within 1% or 10 µs of what was measured. */
export interface RouteLatencySnapshot extends DurationSummary, Record<Outcome, number> {
  /** Requests a second. */
  rate: number
  /** From the first hook until the reply is sent, or its stream begins. */
  firstByte: DurationSummary
  /** Of those of its replies that are streams, which `count` and the durations leave out: they take as long as their reader. */
  streams: DurationSummary
}

export interface Measured {
  outcome: Outcome
  /** Milliseconds until the last byte, or the connection's end. */
  elapsed: number
  /** Milliseconds; undefined: there was none. */
  firstByte: number | undefined
  isStream: boolean
}

type Counts = Record<Outcome, number>

/** How long the requests of a route took lately, and how they ended. Two windows, 11 KB for each kind of duration that there is. */
export class RouteLatency {
  readonly #began: number
  /** When the open window began. */
  #since: number
  readonly #total = new RecentDurations()
  #firstByte: RecentDurations | undefined
  #streams: RecentDurations | undefined
  #current = noCounts()
  #previous = noCounts()

  /** @param now milliseconds, monotonic, here and below */
  constructor (now: number) {
    this.#began = this.#since = now
  }

  record (now: number, { outcome, elapsed, firstByte, isStream }: Measured): void {
    this.#age(now)
    this.#current[outcome]++
    if (isStream) (this.#streams ??= new RecentDurations()).record(elapsed)
    else this.#total.record(elapsed)
    if (firstByte !== undefined) (this.#firstByte ??= new RecentDurations()).record(firstByte)
  }

  snapshot (now: number): RouteLatencySnapshot {
    this.#age(now)
    const { ok, clientError, serverError, aborted } = this.#current
    const counts = {
      ok: ok + this.#previous.ok,
      clientError: clientError + this.#previous.clientError,
      serverError: serverError + this.#previous.serverError,
      aborted: aborted + this.#previous.aborted
    }
    const seconds = Math.max(now - Math.max(this.#began, this.#since - WINDOW), 1) / 1_000
    const requests = counts.ok + counts.clientError + counts.serverError + counts.aborted
    return {
      ...this.#total.summary(),
      ...counts,
      rate: Math.round(requests / seconds * 100) / 100,
      firstByte: (this.#firstByte ?? NONE).summary(),
      streams: (this.#streams ?? NONE).summary()
    }
  }

  /** Windows that are over are closed when somebody looks: a route that nobody asks for needs no timer. */
  #age (now: number): void {
    const over = Math.floor((now - this.#since) / WINDOW)
    if (over <= 0) return
    this.#since += over * WINDOW
    // Of two that are over the first one is too old as well.
    for (let count = 0; count < Math.min(over, 2); count++) {
      for (const durations of [this.#total, this.#firstByte, this.#streams]) durations?.rotate()
      this.#previous = this.#current
      this.#current = noCounts()
    }
  }
}

const NONE = new RecentDurations()

function noCounts (): Counts {
  return { ok: 0, clientError: 0, serverError: 0, aborted: 0 }
}
