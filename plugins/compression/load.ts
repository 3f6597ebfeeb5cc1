import { performance, type EventLoopUtilization } from 'node:perf_hooks'
import type { Effort } from './encoders.js'

/** How hard is tried, or that nothing is. */
export type LoadEffort = Effort | 'none'

export interface LoadOptions {
  /** The share of its time that the event loop is busy, from 0 to 1, above which compressing is made cheap. */
  lowAbove: number
  /** Above which nothing is compressed. */
  stopAbove: number
}

/** Samples that it takes to change, so that one long request does not. */
const SAMPLES = 2

/** By how much it has to be less for what was given up to be taken up again: else it would go to and fro. */
const BACK = 0.1

/** How hard is to be tried, from how busy the event loop is. */
export class Load {
  readonly #options: LoadOptions
  readonly #onChange: (effort: LoadEffort, before: LoadEffort) => void
  #effort: LoadEffort = 'full'
  #wanted: LoadEffort = 'full'
  #since = 0

  constructor (options: LoadOptions, onChange: (effort: LoadEffort, before: LoadEffort) => void = () => {}) {
    this.#options = options
    this.#onChange = onChange
  }

  get effort (): LoadEffort {
    return this.#effort
  }

  /** @param utilization of the time since the last sample: from 0 to 1 */
  sample (utilization: number): void {
    const { lowAbove, stopAbove } = this.#options
    const above = (limit: number, isOver: boolean): boolean => utilization > (isOver ? limit - BACK : limit)
    const wanted = above(stopAbove, this.#effort === 'none') ? 'none' : above(lowAbove, this.#effort !== 'full') ? 'low' : 'full'
    this.#since = wanted === this.#wanted ? this.#since + 1 : 1
    this.#wanted = wanted
    if (this.#since < SAMPLES || wanted === this.#effort) return
    const before = this.#effort
    this.#effort = wanted
    this.#onChange(wanted, before)
  }
}

/** Milliseconds between two samples. */
const EVERY = 250

/** Samples the event loop that it runs on, until it is stopped. */
export function watchLoad (load: Load): () => void {
  let last: EventLoopUtilization = performance.eventLoopUtilization()
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    load.sample(performance.eventLoopUtilization(now, last).utilization)
    last = now
  }, EVERY)
  timer.unref()
  return () => { clearInterval(timer) }
}
