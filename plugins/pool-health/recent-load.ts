import { RecentDurations, type DurationSummary } from '../shared/recent-durations.js'
import type { PoolLoad } from './advice.js'

/** Milliseconds in which the figures become old. */
const WINDOW = 60_000

/** So many holds tell how long one is held usually. */
const LAST = 31

/** Who waited for so short a time, in milliseconds, for the pool's sake has not waited. */
const NOTHING = 1

/** What is counted, and not measured, of a window. Milliseconds. */
interface Window {
  readonly since: number
  waited: number
  turnedAway: number
  held: number
  heldSlowly: number
  slow: number
}

/** A connection in use. */
export interface Holding {
  readonly since: number
  /** On purpose, for as long as somebody reads: that takes a connection, and is no slow query. */
  readonly isLong: boolean
}

/** Those who are there now. */
export interface Present {
  holding: Iterable<Holding>
  /** Since when each caller waits that found none. */
  waiting: Iterable<number>
}

/** What a pool has done in the last one to two minutes. */
export class RecentLoad {
  readonly #slowHold: number
  readonly #wait = new RecentDurations()
  readonly #delay = new RecentDurations()
  readonly #hold = new RecentDurations()
  readonly #creation = new RecentDurations()
  #current: Window
  #previous: Window | undefined
  /** The last ones, in the order in which they ended, around. */
  readonly #lastHolds: number[] = []
  #ended = 0
  #usualHold: number | undefined = 0

  constructor (slowHold: number, now: number) {
    this.#slowHold = slowHold
    this.#current = newWindow(now)
  }

  /**
   * Milliseconds that a connection is held for, usually: the median of the last ones, of which one that was held for ten minutes
   * is one among many. 0: not known yet.
   */
  get usualHold (): number {
    this.#usualHold ??= this.#lastHolds.toSorted((a, b) => a - b)[this.#lastHolds.length >> 1]!
    return this.#usualHold
  }

  get durations (): Record<'wait' | 'delay' | 'hold' | 'creation', DurationSummary> {
    return { wait: this.#wait.summary(), delay: this.#delay.summary(), hold: this.#hold.summary(), creation: this.#creation.summary() }
  }

  /**
   * A caller has what it waited for, or has given up.
   *
   * @param utilization of the event loop meanwhile, from 0 to 1: so much of the wait was for what it did, and not for the pool;
   *   1 where there was a connection to be had all the time
   * @param isFull whether all connections were in use; else one was opened
   */
  waited (milliseconds: number, utilization: number, isFull: boolean): void {
    const forPool = milliseconds * (1 - utilization)
    this.#wait.record(forPool)
    this.#delay.record(milliseconds - forPool)
    if (isFull && forPool >= NOTHING) this.#current.waited++
  }

  /** A caller was not even let wait. */
  turnedAway (): void {
    this.#current.turnedAway++
  }

  /** @param isLong whether on purpose; of one that was not held for long that is of no interest */
  held (since: number, now: number, isLong = false): void {
    this.#credit(this.#current, since, now, isLong)
    if (isLong) return
    const age = now - since
    this.#hold.record(age)
    this.#lastHolds[this.#ended++ % LAST] = age
    this.#usualHold = undefined
    if (age >= this.#slowHold) this.#current.slow++
  }

  created (milliseconds: number): void {
    this.#creation.record(milliseconds)
  }

  look (now: number, holding: Iterable<Holding>): void {
    if (now - this.#current.since < WINDOW) return
    // Each window has its own part of a hold that lasts for several.
    for (const { since, isLong } of holding) this.#credit(this.#current, since, now, isLong)
    for (const durations of [this.#wait, this.#delay, this.#hold, this.#creation]) durations.rotate()
    this.#previous = this.#current
    this.#current = newWindow(now)
  }

  /** What was before is forgotten. */
  restart (now: number): void {
    for (const durations of [this.#wait, this.#delay, this.#hold, this.#creation]) {
      durations.rotate()
      durations.rotate()
    }
    this.#previous = undefined
    this.#current = newWindow(now)
  }

  load (now: number, { holding, waiting }: Present): Omit<PoolLoad, 'max' | 'peak' | 'acquiredEver' | 'leaked' | 'awayFor'> {
    const present = { ...this.#current }
    let slowNow = 0
    let holders = 0
    for (const { since, isLong } of holding) {
      holders++
      this.#credit(present, since, now, isLong)
      if (!isLong && now - since >= this.#slowHold) slowNow++
    }
    let waitingNow = 0
    let waitingFor = 0
    for (const since of waiting) {
      waitingNow++
      waitingFor += now - since
    }
    const sum = (figure: Exclude<keyof Window, 'since'>): number => present[figure] + (this.#previous?.[figure] ?? 0)
    return {
      elapsed: now - (this.#previous ?? present).since,
      wait: this.#wait.summary(),
      waited: sum('waited'),
      waitingNow,
      waitingFor: waitingNow === 0 ? 0 : waitingFor / waitingNow,
      turnedAway: sum('turnedAway'),
      hold: this.#hold.summary(),
      held: sum('held'),
      heldSlowly: sum('heldSlowly'),
      slow: sum('slow') + slowNow,
      areAllSlow: holders > 0 && slowNow === holders
    }
  }

  #credit (window: Window, since: number, now: number, isLong: boolean): void {
    const within = now - Math.max(since, window.since)
    window.held += within
    if (!isLong && now - since >= this.#slowHold) window.heldSlowly += within
  }
}

function newWindow (since: number): Window {
  return { since, waited: 0, turnedAway: 0, held: 0, heldSlowly: 0, slow: 0 }
}
