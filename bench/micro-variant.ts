import { loadEntry } from './entries.js'
import type { Operation } from './entry.js'
import { answerQuestions } from './questions.js'

/** One variant of a micro entry, in its own process; measure-micro.ts asks. */

export type MicroQuestion = { warmUp: number, slice: number } | { run: number }

/** How many iterations take about a slice. */
export interface Warmed { iterations: number }

export interface Ran {
  /** Milliseconds. */
  elapsed: number
  /** Microseconds. */
  cpu: number
}

const [name, variant] = process.argv.slice(2) as [string, string]
let operation: Operation | undefined

answerQuestions<MicroQuestion>(async (question) => {
  operation ??= await prepare()
  return 'run' in question ? await run(operation, question.run) : await warmUp(operation, question)
})
process.once('disconnect', () => { process.exit() })

async function prepare (): Promise<Operation> {
  const entry = await loadEntry(name)
  if (entry.kind !== 'micro') throw new Error(`${name} is not a micro entry`)
  return await entry.variants[variant]!()
}

/** Doubles the iterations until the time is over: by then the code is optimised, and its speed known. */
async function warmUp (operation: Operation, { warmUp: milliseconds, slice }: { warmUp: number, slice: number }): Promise<Warmed> {
  const end = performance.now() + milliseconds
  let iterations = 64
  let { elapsed } = await run(operation, iterations)
  while (elapsed < slice / 2 || performance.now() < end) {
    if (elapsed < slice / 2) iterations *= 2
    elapsed = (await run(operation, iterations)).elapsed
  }
  return { iterations: Math.max(1, Math.round(iterations * slice / elapsed)) }
}

async function run (operation: Operation, iterations: number): Promise<Ran> {
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  for (let i = 0; i < iterations; i++) await operation()
  const elapsed = performance.now() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  return { elapsed, cpu: user + system }
}
