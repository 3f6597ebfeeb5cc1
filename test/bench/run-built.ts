import { execFile } from 'node:child_process'
import { builtEnvironment } from '../helpers/environment.js'
import { project } from '../helpers/project.js'

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs a built program of the bench, such as `run.js`, in `folder`. Built by `npm test` before the tests run. */
export async function runBuilt (program: string, args: string[], { folder, env = {} }: { folder?: string, env?: Record<string, string> } = {}): Promise<Ended> {
  const file = `${project}build/bench/${program}`
  // To count what is covered would slow what is measured. Node hands this one on to whom it starts unless it is named.
  const own = { ...builtEnvironment(), NODE_V8_COVERAGE: undefined, ...env }
  return await new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { cwd: folder, env: own, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}
