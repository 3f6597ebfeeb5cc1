import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CONTROL } from './comparison.js'
import type { Entry } from './entry.js'

export type VariantProcesses = ReadonlyMap<string, ChildProcess>

/** The variants of an entry, and its baseline once more. */
export function variantsOf ({ variants, baseline }: Entry): string[] {
  const names = Object.keys(variants)
  return [baseline, CONTROL, ...names.filter((name) => name !== baseline)]
}

/**
 * A process for each variant for the time of `work`: the optimiser and the heap of one know nothing of another.
 *
 * @param program what each of them runs, with the entry's name and the variant's as arguments
 */
export async function withVariants<Result> (
  program: string, name: string, entry: Entry, work: (processes: VariantProcesses) => Promise<Result>
): Promise<Result> {
  const file = fileURLToPath(new URL(program, import.meta.url))
  const processes = new Map(variantsOf(entry).map((variant) => {
    const built = variant === CONTROL ? entry.baseline : variant
    // Its output is not the bench's, which may be JSON.
    return [variant, fork(file, [name, built], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })]
  }))
  try {
    return await work(processes)
  } finally {
    await Promise.all([...processes.values()].map(end))
  }
}

async function end (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
