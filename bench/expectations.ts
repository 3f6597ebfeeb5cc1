import { ratio } from './comparison.js'
import type { Expectation } from './entry.js'
import type { Metric, Rounds } from './sample.js'
import { median } from './statistics.js'

export interface Verdict extends Expectation {
  metric: Metric
  /** Which of those in `of` was the best. */
  best: string
  ratio: number
  met: boolean
}

export function judge (rounds: Rounds, expectations: readonly Expectation[] = []): Verdict[] {
  return expectations.map((expectation) => {
    const { variant, of, metric = 'perSecond', atLeast = -Infinity, atMost = Infinity } = expectation
    const best = bestOf(rounds, typeof of === 'string' ? [of] : of, metric)
    const found = ratio(rounds, variant, best, metric).median
    return { ...expectation, metric, best, ratio: found, met: found >= atLeast && found <= atMost }
  })
}

function bestOf (rounds: Rounds, variants: readonly string[], metric: Metric): string {
  const [first, ...rest] = variants
  const figure = (variant: string): number => median(rounds.get(variant)!.map((sample) => sample[metric]))
  const better = (a: string, b: string): boolean => metric === 'cpu' ? figure(a) < figure(b) : figure(a) > figure(b)
  return rest.reduce((best, variant) => better(variant, best) ? variant : best, first!)
}
