import type { Metric, Rounds, Sample } from './sample.js'
import { median, spread, type Spread } from './statistics.js'

/** The baseline, measured a second time in a process of its own. */
export const CONTROL = 'control'

/** By how much the control may differ from the baseline, of which it is a copy, before nothing else can be believed. */
export const CONTROL_LIMIT = 0.1

export interface Row extends Sample {
  variant: string
  /** To the baseline. */
  ratio: Record<Metric, Spread>
}

export interface Comparison {
  baseline: string
  rows: Row[]
  /**
   * How far the control is off in the worse of the metrics, its standard error included: 0.1 is 1.1 times as much, or as
   * little. The error counts because on a busy machine a median can be right by chance.
   */
  controlOff: number
}

export function compare (rounds: Rounds, baseline: string): Comparison {
  const rows = [...rounds].map(([variant, samples]) => ({
    variant,
    perSecond: median(samples.map(({ perSecond }) => perSecond)),
    cpu: median(samples.map(({ cpu }) => cpu)),
    ...medianLatency(samples),
    ratio: { perSecond: ratio(rounds, variant, baseline, 'perSecond'), cpu: ratio(rounds, variant, baseline, 'cpu') }
  }))
  const control = rows.find(({ variant }) => variant === CONTROL)!.ratio
  return { baseline, rows, controlOff: Math.max(off(control.perSecond), off(control.cpu)) }
}

/**
 * Compared round by round and only then summed up: what slows the machine for a while slows neighbours alike, and
 * drops out.
 */
export function ratio (rounds: Rounds, variant: string, of: string, metric: Metric): Spread {
  const others = rounds.get(of)!
  return spread(rounds.get(variant)!.map((sample, round) => sample[metric] / others[round]![metric]))
}

function off ({ median, error }: Spread): number {
  return Math.max(median, 1 / median) - 1 + error
}

function medianLatency (samples: readonly Sample[]): Pick<Sample, 'latency'> {
  const latencies = samples.flatMap(({ latency }) => latency ?? [])
  if (latencies.length === 0) return {}
  return { latency: { p50: median(latencies.map(({ p50 }) => p50)), p99: median(latencies.map(({ p99 }) => p99)) } }
}
