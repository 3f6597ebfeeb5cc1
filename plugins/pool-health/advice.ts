import type { DurationSummary } from '../shared/recent-durations.js'

/** What a pool has done in the last one to two minutes, and what it does now. */
export interface PoolLoad {
  /** Most connections it opens; `Infinity`: no limit. */
  max: number
  /** Most connections that were ever in use at once. */
  peak: number
  /** Callers that had a connection, in all the time. */
  acquiredEver: number
  /** Milliseconds that the figures below are of. */
  elapsed: number
  /** That the pool, and not the event loop, let callers wait, also those who gave up; 0 ms of those that did not wait. */
  wait: DurationSummary
  /** Of those in `wait`, how many found all connections in use. */
  waited: number
  /** Callers that wait at this moment, and for how long they do on average, milliseconds. */
  waitingNow: number
  waitingFor: number
  /** Callers that were not even let wait. */
  turnedAway: number
  hold: DurationSummary
  /** Milliseconds that connections were held, of those in use until now; and of these, by who held one for longer than `slowHold`. */
  held: number
  heldSlowly: number
  /** Callers that held one for longer than `slowHold`. */
  slow: number
  /** Whether all that are in use now are held for longer than that. */
  areAllSlow: boolean
  /** Connections held at this moment for longer than the threshold of a leak. */
  leaked: number
  /** Milliseconds for which the database does not answer; none: it does. */
  awayFor?: number | undefined
}

export interface Advice {
  verdict: 'away' | 'leak' | 'too small' | 'slow query' | 'over-provisioned' | 'healthy'
  /** A sentence with the figures that it follows from. */
  reason: string
  /** Connections that the pool should have at most, where another number would be better. */
  suggestedMax?: number
  /** Callers a second, λ. */
  arrivals: number
  /** Milliseconds that each holds a connection, on average: h. */
  hold: number
  /** Connections in use on average, L = λ·h: Little's law (Little, "A proof for the queuing formula: L = λW", 1961). */
  inUse: number
  /** Callers waiting on average, λ·w. */
  queued: number
  /** Of the callers, how many found no connection, from 0 to 1. */
  share: number
}

/** The pool lets callers wait when more of them than this do … */
const MANY = 0.05

/** … and one in twenty for longer than this, milliseconds. */
const LONG = 5

/** Fewer slow holders can be an accident. */
const FEW = 3

/** Slow holders that take this part of all connections, on average, leave the others too few, though nobody waits yet. */
const BUSY_SLOWLY = 0.5

/** What few callers did says little about a pool. */
const ENOUGH = 20

/** A pool that has never used more than this part of its connections has too many; of few there is nothing to save. */
const LITTLE_USED = 0.25
const ENOUGH_TO_SPARE = 8
const ENOUGH_TO_JUDGE = 100

/**
 * What is the matter with a pool. Of one whose database is away nothing can be said. A connection that does not come back is looked at first, then what takes the connections'
 * time: with slow holders, more connections would only bring the database more slow work. Who waits though none is slow needs more.
 */
export function advise (load: PoolLoad): Advice {
  const { max, peak, elapsed, wait, waited, waitingNow, waitingFor, turnedAway, hold, held, heldSlowly, slow, areAllSlow, leaked } = load
  const seconds = Math.max(elapsed, 1) / 1_000
  const asked = wait.count + waitingNow + turnedAway
  const share = asked === 0 ? 0 : (waited + waitingNow + turnedAway) / asked
  const figures = {
    arrivals: rounded(asked / seconds),
    hold: hold.mean,
    inUse: rounded(held / Math.max(elapsed, 1)),
    queued: rounded((wait.count * wait.mean + waitingNow * waitingFor) / 1_000 / seconds),
    share: rounded(share)
  }
  const longest = Math.max(wait.p95, waitingFor)
  const waits = asked >= ENOUGH && share >= MANY && (longest >= LONG || turnedAway > 0)
  const waiting = `${percent(share)} of ${figures.arrivals} callers a second found none of ${max} connections free` +
    `${turnedAway > 0 ? `, ${turnedAway} were turned away` : ''}${longest > 0 ? `, and waited ${rounded(longest)} ms (p95)` : ''}`

  if (load.awayFor !== undefined) {
    return { verdict: 'away', reason: `the database has not answered for ${rounded(load.awayFor / 1_000)} s: what callers do meanwhile says nothing of the pool`, ...figures }
  }
  if (leaked > 0) {
    return { verdict: 'leak', reason: `${leaked} of ${max} connections ${leaked === 1 ? 'has' : 'have'} not come back in time: the lines of each say who has it`, ...figures }
  }
  if ((slow >= FEW || (areAllSlow && waitingNow > 0)) && heldSlowly >= held / 2 && (waits || heldSlowly / Math.max(elapsed, 1) >= max * BUSY_SLOWLY)) {
    return {
      verdict: 'slow query',
      reason: `${slow} callers that were slow held connections for ${percent(heldSlowly / held)} of all the time that any was held` +
        `${waits ? `; ${waiting}: more connections would bring the database more slow work` : ''}`,
      ...figures
    }
  }
  if (waits) {
    // Little's law again, of all that were there: those with a connection, those without, and those that would have had one.
    const wanted = Math.ceil(figures.inUse + figures.queued + (turnedAway / seconds) * hold.mean / 1_000)
    return {
      verdict: 'too small',
      reason: `${waiting}, while each was held for ${hold.mean} ms only${wanted > max ? `; ${wanted} were wanted at once, on average` : ''}`,
      suggestedMax: Math.max(max + 1, wanted),
      ...figures
    }
  }
  if (max >= ENOUGH_TO_SPARE && max !== Infinity && load.acquiredEver >= ENOUGH_TO_JUDGE && peak <= max * LITTLE_USED) {
    return {
      verdict: 'over-provisioned',
      reason: `never more than ${peak} of ${max} connections were in use at once, ${figures.inUse} on average`,
      // For a burst half as large again.
      suggestedMax: Math.max(2, Math.ceil(peak * 1.5)),
      ...figures
    }
  }
  return {
    verdict: 'healthy',
    reason: wait.count === 0 ? 'nobody asks' : `${figures.inUse} of ${max} connections are in use on average, and ${percent(share)} of the callers waited`,
    ...figures
  }
}

function rounded (value: number): number {
  return Math.round(value * 100) / 100
}

function percent (share: number): string {
  return `${Math.round(share * 100)}%`
}
