import { quantile } from './statistics.js'

/**
 * Latencies of a closed loop, corrected for what such a loop leaves out: while a connection waits for a stalled server it
 * sends nothing, so that a stall of a second is one sample where steady visitors would have made hundreds. Each sample
 * above the usual one stands for the requests that should have been sent meanwhile, one a usual time
 * (Gil Tene's correction of coordinated omission, as in HdrHistogram).
 *
 * @param times milliseconds, one a reply
 */
export function latencyOf (times: readonly number[]): { p50: number, p99: number } {
  const usual = quantile(times, 0.5)
  const corrected = usual > 0 ? times.concat(times.flatMap((time) => omitted(time, usual))) : times
  return { p50: usual, p99: quantile(corrected, 0.99) }
}

function omitted (time: number, usual: number): number[] {
  const missed = Math.max(0, Math.floor(time / usual) - 1)
  return Array.from({ length: missed }, (_, index) => time - (index + 1) * usual)
}
