import type { MicroEntry } from './entry.js'
import { interleave } from './interleave.js'
import type { MicroQuestion, Warmed } from './micro-variant.js'
import type { Progress } from './progress.js'
import { ask } from './questions.js'
import type { Rounds } from './sample.js'
import type { Ran } from './timed-calls.js'
import { withVariants } from './variant-process.js'

export interface MicroSettings {
  rounds: number
  /** Milliseconds for each variant before the first round. */
  warmUp: number
  /** Milliseconds of a variant in a round. Short, so that the variants of a round meet the same machine. */
  slice: number
}

export async function measureMicro (name: string, entry: MicroEntry, settings: MicroSettings, progress: Progress): Promise<Rounds> {
  const { rounds, warmUp, slice } = settings
  return await withVariants('micro-variant.js', name, entry, async (processes) => {
    const question = async <Answer> (variant: string, asked: MicroQuestion): Promise<Answer> => await ask(processes.get(variant)!, asked)
    const iterations = new Map<string, number>()
    // One after the other: side by side they would take each other's time, and call it their own.
    for (const variant of processes.keys()) {
      progress(`${name}: warming up`, variant)
      iterations.set(variant, (await question<Warmed>(variant, { warmUp, slice })).iterations)
    }
    return await interleave([...processes.keys()], rounds, async (variant, round) => {
      progress(`${name}: round ${round + 1} of ${rounds}`, variant)
      const run = iterations.get(variant)!
      const { elapsed, cpu } = await question<Ran>(variant, { run })
      return { perSecond: run / elapsed * 1_000, cpu: cpu / run }
    })
  })
}
