import type { Call, Findings, Lateness, StaleRead } from './findings.js'

/**
 * Before the fault; while a Redis that is away is found out about, for which three commands have to fail; while it is known to
 * be away; and when it is there again.
 */
export const PHASES = ['before', 'opening', 'open', 'after'] as const
export type Phase = typeof PHASES[number]

/** Milliseconds after which a Redis that hangs is known to be away. */
export const OPENING = 400

/** Milliseconds after a Redis is there again in which the processes find that out, and tell what it could not be told. */
const SETTLING = 1_000

/** When the fault began, and when Redis was there again; of `moment()`. */
export interface Fault {
  readonly struck: number
  readonly back: number
}

export interface Worst {
  /** Milliseconds; 0 where nothing was outdated. */
  readonly by: number
  readonly read?: StaleRead
}

export interface Spread {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** What took longest. */
  readonly slowest: string
}

export interface Verdict {
  /** Of what was changed in the process that read it. */
  readonly own: Worst
  /**
   * Of what was changed in the other process, and shared, while Redis was well: since then, but for the time that the machine
   * held up the event loop of the process that read.
   */
  readonly heard: Worst
  /** Of the rest: since Redis was there again, or since the change where that came later. */
  readonly told: Worst
  /** Reads in all, and those that were outdated in any way. */
  readonly outdated: number
  /** Milliseconds that reads took longer than the loads they waited for. */
  readonly reads: Record<Phase, Spread>
  /** Milliseconds that changes took. */
  readonly changes: Record<Phase, Spread>
  /** Of both event loops the worse. */
  readonly loops: Record<Phase, Lateness>
}

export function verdictOn (findings: readonly Findings[], fault: Fault): Verdict {
  const stale = findings.flatMap((one) => one.stale)
  const worst = (reads: readonly StaleRead[], by: (read: StaleRead) => number): Worst =>
    reads.map((read) => ({ by: by(read), read })).reduce<Worst>((most, one) => one.by > most.by ? one : most, { by: 0 })
  const others = stale.filter(({ isOwn }) => !isOwn)
  const [heard, rest] = [others.filter((read) => isOfGoodTimes(read, fault)), others.filter((read) => !isOfGoodTimes(read, fault))]
  return {
    own: worst(stale.filter(({ isOwn }) => isOwn), ({ at, since }) => at - since),
    heard: worst(heard, ({ at, sharedSince, late }) => at - sharedSince! - late),
    told: worst(rest, ({ at, since }) => at - Math.max(since, fault.back)),
    outdated: stale.length,
    reads: eachPhase((phase) => spread(findings.flatMap(({ reads }) => reads.filter((read) => phaseOf(read, fault) === phase)), fault)),
    changes: eachPhase((phase) => spread(findings.flatMap(({ changes }) => changes.filter((change) => phaseOf(change, fault) === phase)), fault)),
    loops: eachPhase((phase) => findings.map(({ loops }) => loops[phase] ?? NEVER).reduce(worse))
  }
}

const NEVER: Lateness = { p50: 0, p99: 0, max: 0 }

function worse (a: Lateness, b: Lateness): Lateness {
  return { p50: Math.max(a.p50, b.p50), p99: Math.max(a.p99, b.p99), max: Math.max(a.max, b.max) }
}

/** Whether the change was told to, and the read was made with, a Redis that had always been well or was again. */
function isOfGoodTimes ({ at, sharedSince }: StaleRead, { struck, back }: Fault): boolean {
  return sharedSince !== undefined && (at < struck || sharedSince > back + SETTLING)
}

/** A call belongs to the fault that began while it was made. */
function phaseOf ({ at, took }: Call, { struck, back }: Fault): Phase {
  if (at + took < struck) return 'before'
  if (at >= back) return 'after'
  return at < struck + OPENING ? 'opening' : 'open'
}

function spread (calls: readonly Call[], fault: Fault): Spread {
  const sorted = calls.map((call) => ({ call, added: addedSince(call, fault) })).sort((a, b) => a.added - b.added)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.added ?? 0
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1), slowest: sorted.at(-1)?.call.call ?? 'none' }
}

/** What had been waited for already when the fault began is not its doing: of that, at most all that was added. */
function addedSince ({ at, took, added }: Call, { struck }: Fault): number {
  return at < struck && at + took >= struck ? Math.max(0, added - (struck - at)) : added
}

function eachPhase<T> (of: (phase: Phase) => T): Record<Phase, T> {
  return Object.fromEntries(PHASES.map((phase) => [phase, of(phase)])) as Record<Phase, T>
}
