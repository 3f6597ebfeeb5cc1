import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { FAILED, WRONG_CALL } from '../exit-status.js'
import { load, type Loaded } from '../load.js'
import { CommandLineError, profileArguments, type ProfileArguments } from './command-line.js'
import { checkRoute, RouteError, startExample, type Example } from './example.js'

const FOLDER = 'profiles'

/** Of the project, as seen from the built program. */
export const ROOT = new URL('../../../', import.meta.url)

export interface Profiled extends ProfileArguments {
  /** Path of an output file, without its ending: each run has files of its own. */
  output: string
}

/** The main program of both commands: says in one line what the user can put right. */
export async function main (command: string, run: (profiled: Profiled) => Promise<void>): Promise<void> {
  try {
    const asked = profileArguments(process.argv.slice(2))
    if (asked === undefined) {
      process.stdout.write(`${usage(command)}\n`)
      return
    }
    await mkdir(FOLDER, { recursive: true })
    await run({ ...asked, output: join(FOLDER, outputName(asked.route, new Date())) })
  } catch (error) {
    process.stderr.write(`${lineFor(error, command)}\n`)
    process.exitCode = error instanceof CommandLineError ? WRONG_CALL : FAILED
  }
}

/** Such as `api-users-7-2026-11-05T12-30-00`. */
export function outputName (route: string, now: Date): string {
  const name = route.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '').slice(0, 60) || 'root'
  return `${name}-${now.toISOString().slice(0, 19).replaceAll(':', '-')}`
}

/** Starts the example app, sees that the route answers, and stops the app whatever `work` comes to. */
export async function withExample (
  nodeOptions: readonly string[], route: string, work: (example: Example, url: string) => Promise<void>
): Promise<void> {
  progress('Starting the example app…')
  const example = await startExample(nodeOptions)
  try {
    const url = `${example.url}${route}`
    await checkRoute(url)
    await work(example, url)
  } finally {
    await example.stop()
  }
}

export async function drive (url: string, { seconds, connections }: ProfileArguments): Promise<Loaded> {
  progress(`Load for ${seconds} s over ${connections} connections…`)
  return await load({ url, connections, seconds })
}

export function progress (line: string): void {
  process.stderr.write(`${line}\n`)
}

function lineFor (error: unknown, command: string): string {
  if (error instanceof CommandLineError) return `${error.message}\n\n${usage(command)}`
  return error instanceof RouteError ? error.message : (error as Error).stack ?? String(error)
}

function usage (command: string): string {
  return `npm run ${command} -- <route> [--seconds 10] [--connections 20]`
}
