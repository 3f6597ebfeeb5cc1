import { Session } from 'node:inspector/promises'
import { writeFile } from 'node:fs/promises'
import { monitorEventLoopDelay, performance, type EventLoopUtilization, type IntervalHistogram } from 'node:perf_hooks'
import { answerQuestions } from '../questions.js'

/** Loaded into the example app by `--import`, ahead of the app, which knows nothing of it. Costs nothing until it is asked. */

export type SamplerQuestion =
  | { start: { /** Microseconds between two samples. */ interval: number } }
  | { stop: { file: string } }

/** How the event loop did meanwhile. */
export interface EventLoop {
  /** Share of the time that it had something to do, from 0 to 1. */
  utilization: number
  /** Milliseconds that it was late, in the worst hundredth. */
  delayP99: number
}

/** Milliseconds between two looks at the event loop; a look is at least that late. */
const RESOLUTION = 10

const session = new Session()
let delay: IntervalHistogram
let before: EventLoopUtilization

answerQuestions<SamplerQuestion>(async (question) => 'start' in question ? await start(question.start.interval) : await stop(question.stop.file))
// The app ends with whoever profiles it, also when that one was killed, and is not kept alive by it.
process.once('disconnect', () => { process.kill(process.pid, 'SIGTERM') })
process.channel?.unref()

async function start (interval: number): Promise<void> {
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval })
  delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  delay.enable()
  before = performance.eventLoopUtilization()
  await session.post('Profiler.start')
}

async function stop (file: string): Promise<EventLoop> {
  const { profile } = await session.post('Profiler.stop')
  const { utilization } = performance.eventLoopUtilization(before)
  delay.disable()
  await writeFile(file, JSON.stringify(profile))
  return { utilization, delayP99: Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION) }
}
