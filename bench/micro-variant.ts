import { loadEntry } from './entries.js'
import { answerQuestions } from './questions.js'
import { timedCalls, type Ran } from './timed-calls.js'

/** One variant of a micro entry, in its own process; measure-micro.ts asks. */

export type MicroQuestion = { warmUp: number, slice: number } | { run: number }

/** How many iterations take about a slice. */
export interface Warmed { iterations: number }

const [name, variant] = process.argv.slice(2) as [string, string]
let run: ((iterations: number) => Promise<Ran>) | undefined

answerQuestions<MicroQuestion>(async (question) => {
  run ??= await prepare()
  return 'run' in question ? await run(question.run) : await warmUp(run, question)
})
process.once('disconnect', () => { process.exit() })

async function prepare (): Promise<(iterations: number) => Promise<Ran>> {
  const entry = await loadEntry(name)
  if (entry.kind !== 'micro') throw new Error(`${name} is not a micro entry`)
  const operation = await entry.variants[variant]!()
  return (iterations) => timedCalls(operation, iterations, entry.callers)
}

/** Doubles the iterations until the time is over: by then the code is optimised, and its speed known. */
async function warmUp (run: (iterations: number) => Promise<Ran>, { warmUp: milliseconds, slice }: { warmUp: number, slice: number }): Promise<Warmed> {
  const end = performance.now() + milliseconds
  let iterations = 1
  let { elapsed } = await run(iterations)
  while (elapsed < slice / 2 || performance.now() < end) {
    if (elapsed < slice / 2) iterations *= 2
    elapsed = (await run(iterations)).elapsed
  }
  return { iterations: Math.max(1, Math.round(iterations * slice / elapsed)) }
}
