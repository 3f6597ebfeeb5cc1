import { CONTROL } from './comparison.js'
import type { ServerEntry } from './entry.js'
import { checkReply, replyTo, revalidating } from './first-reply.js'
import { interleave } from './interleave.js'
import { latencyOf } from './latency.js'
import { load, type Load } from './load.js'
import type { Progress } from './progress.js'
import { ask } from './questions.js'
import type { Rounds } from './sample.js'
import type { CpuTime, Listening } from './server-variant.js'
import { withVariants } from './variant-process.js'

export interface ServerSettings {
  rounds: number
  /** Seconds of load for each variant before the first round; 0 for none. */
  warmUp: number
  /** Seconds of load for a variant in a round. */
  seconds: number
  connections: number
}

export async function measureServer (name: string, entry: ServerEntry, settings: ServerSettings, progress: Progress): Promise<Rounds> {
  const { rounds, warmUp, seconds, connections } = settings
  return await withVariants('server-variant.js', name, entry, async (processes) => {
    const loads = new Map<string, Omit<Load, 'seconds'>>()
    for (const [variant, child] of processes) {
      progress(`${name}: warming up`, variant)
      const { url } = await ask<Listening>(child, { what: 'listen' })
      const asked = { url, connections, ...await requestsTo(url, variant, entry) }
      if (warmUp > 0) await load({ ...asked, seconds: warmUp })
      loads.set(variant, asked)
    }
    return await interleave([...processes.keys()], rounds, async (variant, round) => {
      progress(`${name}: round ${round + 1} of ${rounds}`, variant)
      const cpuTime = async (): Promise<number> => (await ask<CpuTime>(processes.get(variant)!, { what: 'cpu' })).cpu
      const before = await cpuTime()
      const loaded = await load({ ...loads.get(variant)!, seconds })
      const cpu = await cpuTime() - before
      return { perSecond: loaded.requests / loaded.seconds, cpu: cpu / loaded.requests, latency: latencyOf(loaded.times) }
    })
  })
}

/** @throws where the replies are not what the entry says */
async function requestsTo (url: string, variant: string, { headers = {}, revalidates = false, replies = {}, baseline }: ServerEntry): Promise<Pick<Load, 'headers' | 'status'>> {
  const expected = replies[variant === CONTROL ? baseline : variant] ?? {}
  const asked = revalidates ? { ...headers, ...revalidating(variant, await replyTo(url, headers)) } : headers
  checkReply(variant, await replyTo(url, asked), expected)
  return { headers: asked, status: expected.status ?? 200 }
}
