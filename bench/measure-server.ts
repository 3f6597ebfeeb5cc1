import type { ServerEntry } from './entry.js'
import { interleave } from './interleave.js'
import { latencyOf } from './latency.js'
import { load } from './load.js'
import type { Progress } from './progress.js'
import { ask } from './questions.js'
import type { Rounds } from './sample.js'
import type { CpuTime, Listening } from './server-variant.js'
import { withVariants } from './variant-process.js'

export interface ServerSettings {
  rounds: number
  /** Seconds of load for each variant before the first round. */
  warmUp: number
  /** Seconds of load for a variant in a round. */
  seconds: number
  connections: number
}

export async function measureServer (name: string, entry: ServerEntry, settings: ServerSettings, progress: Progress): Promise<Rounds> {
  const { rounds, warmUp, seconds, connections } = settings
  return await withVariants('server-variant.js', name, entry, async (processes) => {
    const urls = new Map<string, string>()
    for (const [variant, child] of processes) {
      progress(`${name}: warming up`, variant)
      const { url } = await ask<Listening>(child, { what: 'listen' })
      await load({ url, connections, seconds: warmUp })
      urls.set(variant, url)
    }
    return await interleave([...processes.keys()], rounds, async (variant, round) => {
      progress(`${name}: round ${round + 1} of ${rounds}`, variant)
      const cpuTime = async (): Promise<number> => (await ask<CpuTime>(processes.get(variant)!, { what: 'cpu' })).cpu
      const before = await cpuTime()
      const loaded = await load({ url: urls.get(variant)!, connections, seconds })
      const cpu = await cpuTime() - before
      return { perSecond: loaded.requests / loaded.seconds, cpu: cpu / loaded.requests, latency: latencyOf(loaded.times) }
    })
  })
}
