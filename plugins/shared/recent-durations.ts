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
  #current = new Durations()
  #previous = new Durations()

  /** @param milliseconds zero or more */
  record (milliseconds: number): void {
    this.#current.record(milliseconds)
  }

  /** Begins a new window. */
  rotate (): void {
    const empty = this.#previous
    empty.reset()
    this.#previous = this.#current
    this.#current = empty
  }

  summary (): DurationSummary {
    const both = new Durations()
    both.add(this.#previous)
    both.add(this.#current)
    return both.summary()
  }
}

class Durations {
  readonly #histogram: RecordableHistogram = createHistogram({ lowest: 1, highest: LONGEST, figures: 2 })
  /** Of less than half a unit: a histogram has no zero, and most of what does not wait takes none. */
  #zeros = 0

  record (milliseconds: number): void {
    const units = Math.round(milliseconds * UNITS)
    if (units < 1) this.#zeros++
    else this.#histogram.record(units < LONGEST ? units : LONGEST)
  }

  add (other: Durations): void {
    this.#histogram.add(other.#histogram)
    this.#zeros += other.#zeros
  }

  reset (): void {
    this.#histogram.reset()
    this.#zeros = 0
  }

  summary (): DurationSummary {
    const { count: measured, mean, max } = this.#histogram
    const count = measured + this.#zeros
    if (measured === 0) return { count, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 }
    const percentile = (part: number): number => {
      // The nearest rank; of the zeros, which are the least of all, the histogram knows nothing.
      const rank = Math.ceil(count * part) - this.#zeros
      return rank <= 0 ? 0 : this.#histogram.percentile(rank / measured * 100)
    }
    return {
      count,
      mean: milliseconds(mean * measured / count),
      p50: milliseconds(percentile(0.5)),
      p95: milliseconds(percentile(0.95)),
      p99: milliseconds(percentile(0.99)),
      max: milliseconds(max)
    }
  }
}

function milliseconds (units: number): number {
  return Math.round(units) / UNITS
}
