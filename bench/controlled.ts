import { CONTROL_LIMIT, type Comparison } from './comparison.js'

/** @returns the first result whose control agrees with its baseline, or `undefined` when none of the attempts gave one */
export async function controlled<Result extends { comparison: Comparison }> (
  attempts: number, measure: (attempt: number) => Promise<Result>, onRejected: (rejected: Result, attempt: number) => void
): Promise<Result | undefined> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const result = await measure(attempt)
    if (result.comparison.controlOff <= CONTROL_LIMIT) return result
    onRejected(result, attempt)
  }
  return undefined
}
