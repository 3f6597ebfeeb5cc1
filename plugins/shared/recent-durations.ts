import { LogLinearHistogram } from './log-linear-histogram.js'

/** Of the durations of the last one to two windows, in milliseconds; each within 1% or 10 µs of what was measured. */
export interface DurationSummary {
  count: number
  mean: number
  p50: number
  p95: number
  p99: number
  max: number
}

/** A hundredth of a millisecond is the unit of what is kept: finer than what is decided by it. */
const UNITS = 100

/** Longer ones count as so long: ten minutes. */
const LONGEST = 600_000 * UNITS

const PARTS = [0.5, 0.95, 0.99] as const

/** How long something took lately: two windows, of which the older one is thrown away when the newer one is full. 11 KB in all. */
export class RecentDurations {
  #current = new LogLinearHistogram(LONGEST)
  #previous = new LogLinearHistogram(LONGEST)

  /** @param milliseconds zero or more */
  record (milliseconds: number): void {
    this.#current.record(Math.round(milliseconds * UNITS))
  }

  /** Begins a new window. */
  rotate (): void {
    const empty = this.#previous
    empty.reset()
    this.#previous = this.#current
    this.#current = empty
  }

  summary (): DurationSummary {
    const both = new LogLinearHistogram(LONGEST)
    both.add(this.#previous)
    both.add(this.#current)
    const { count, sum, max } = both
    const [p50, p95, p99] = both.percentiles(PARTS)
    return {
      count,
      mean: count === 0 ? 0 : milliseconds(sum / count),
      p50: milliseconds(p50!),
      p95: milliseconds(p95!),
      p99: milliseconds(p99!),
      max: milliseconds(max)
    }
  }
}

function milliseconds (units: number): number {
  return Math.round(units) / UNITS
}
