import { Session } from 'node:inspector/promises'
import { writeFile } from 'node:fs/promises'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { answerQuestions } from '../questions.js'

/** Loaded into the example app by `--import`, ahead of the app, which knows nothing of it. Costs nothing until it is asked. */

export type SamplerQuestion =
  | { what: 'watch' }
  | { what: 'watched' }
  | { what: 'profile', /** Microseconds between two samples. */ interval: number }
  | { what: 'profiled', file: string }

/** How busy the process was between `watch` and `watched`. */
export interface Busy {
  /** CPU time by time: 1 is one core, more is possible with the garbage collector's threads. */
  cpu: number
  /** Share of the time that the event loop had something to do, from 0 to 1. */
  eventLoop: number
  /** Milliseconds that the event loop was late, in the worst hundredth. */
  delayP99: number
}

/** Milliseconds between two looks at the event loop; a look is at least that late. */
const RESOLUTION = 10

const session = new Session()
let watched: (() => Busy) | undefined

answerQuestions<SamplerQuestion>(async (question) => {
  switch (question.what) {
    case 'watch': return watch()
    case 'watched': return watched!()
    case 'profile': return await profile(question.interval)
    case 'profiled': return await writeProfile(question.file)
  }
})
// The app ends with whoever profiles it, also when that one was killed, and is not kept alive by it.
process.once('disconnect', () => { process.kill(process.pid, 'SIGTERM') })
process.channel?.unref()

function watch (): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  delay.enable()
  const start = performance.now()
  const cpuBefore = process.cpuUsage()
  const loopBefore = performance.eventLoopUtilization()
  watched = () => {
    delay.disable()
    const { user, system } = process.cpuUsage(cpuBefore)
    return {
      cpu: (user + system) / 1_000 / (performance.now() - start),
      eventLoop: performance.eventLoopUtilization(loopBefore).utilization,
      delayP99: Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION)
    }
  }
}

async function profile (interval: number): Promise<void> {
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval })
  await session.post('Profiler.start')
}

async function writeProfile (file: string): Promise<void> {
  const { profile } = await session.post('Profiler.stop')
  await writeFile(file, JSON.stringify(profile))
}
