import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

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

/**
 * How long something took lately: two windows, of which the older one is thrown away when the newer one is full. Node's own
 * histogram at two figures, 19 KB each.
 */
export class RecentDurations {
  #current = small()
  #previous = small()

  /** @param milliseconds zero or more */
  record (milliseconds: number): void {
    // What is less than the unit counts as one: zero cannot be recorded.
    this.#current.record(Math.min(LONGEST, Math.max(1, Math.round(milliseconds * UNITS))))
  }

  /** Begins a new window. */
  rotate (): void {
    const empty = this.#previous
    empty.reset()
    this.#previous = this.#current
    this.#current = empty
  }

  summary (): DurationSummary {
    const both = small()
    both.add(this.#previous)
    both.add(this.#current)
    const { count } = both
    if (count === 0) return { count, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 }
    return {
      count,
      mean: milliseconds(both.mean),
      p50: milliseconds(both.percentile(50)),
      p95: milliseconds(both.percentile(95)),
      p99: milliseconds(both.percentile(99)),
      max: milliseconds(both.max)
    }
  }
}

function small (): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LONGEST, figures: 2 })
}

/** The smallest value there is stands for anything up to it, nothing above all. */
function milliseconds (units: number): number {
  return units <= 1 ? 0 : Math.round(units) / UNITS
}
