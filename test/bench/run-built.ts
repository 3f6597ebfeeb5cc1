import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { builtEnvironment } from '../helpers/environment.js'

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs a built program of the bench, such as `run.js`, in `folder`. Built by `npm test` before the tests run. */
export async function runBuilt (program: string, args: string[], { folder, env = {} }: { folder?: string, env?: Record<string, string> } = {}): Promise<Ended> {
  const file = fileURLToPath(new URL(`../../build/bench/${program}`, import.meta.url))
  return await new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { cwd: folder, env: { ...builtEnvironment(), ...env }, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}
