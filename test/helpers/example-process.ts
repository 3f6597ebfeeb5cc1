import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { endWithThisProcess } from './app-process.js'
import { builtEnvironment } from './environment.js'
import { project } from './project.js'

/** Built by `npm test` before the tests run. */
const SERVER = `${project}build/example-app/server.js`

export interface ExampleProcess {
  child: ChildProcess
  /** Everything it has printed so far. */
  output (): string
  /** Where it listens; rejects with its output when it ends before. */
  url: Promise<string>
  /** Its exit status, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
}

/** Runs the example app in a process of its own, in a process group of its own, as from a terminal. */
export function runExample (t: Test, environment: Record<string, string>, args: string[] = [], command = [process.execPath, SERVER]): ExampleProcess {
  const child = spawn(command[0]!, [...command.slice(1), ...args], {
    cwd: project,
    env: { ...builtEnvironment(), PORT: '0', SEED_USERS: '200', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true
  })
  endWithThisProcess(child)
  let output = ''
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  const url = new Promise<string>((resolve, reject) => {
    const read = (data: Buffer): void => {
      output += data.toString()
      const found = /listens on (\S+)/.exec(output)
      if (found) resolve(found[1]!)
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void ended.then(() => reject(new Error(`the example ended before it listened:\n${output}`)))
  })
  // Tests of a start that fails look at the output, not at the URL.
  url.catch(() => {})
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
  })
  return { child, output: () => output, url, ended }
}

/** The process ids of its instances, where it has several, and of what guards the servers that it has started. */
export function childrenOf ({ pid }: ChildProcess): number[] {
  // ps fails where there is none.
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  return stdout.trim().split('\n').filter(Boolean).map(Number)
}
