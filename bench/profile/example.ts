import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const SAMPLER = new URL('sampler.js', import.meta.url)
const SERVER = fileURLToPath(new URL('../../example-app/server.js', import.meta.url))

/** How long the app has for its start, in milliseconds: a first one makes the data, and fetches a Redis where there is none. */
const START_WAIT = 180_000

export interface Example {
  child: ChildProcess
  url: string
  /** Ends the app in good order, as Ctrl-C would. */
  stop (): Promise<void>
}

/**
 * Starts the built example app in a process of its own, on a free port, with the sampler in it. Its environment is this
 * one's, so that `DATABASE_URL`, `REDIS_URL` and `SEED_USERS` work as for `npm start`.
 *
 * @param nodeOptions for node, ahead of the app
 * @throws with what the app printed when it does not come to listen
 */
export async function startExample (nodeOptions: readonly string[]): Promise<Example> {
  const child = spawn(process.execPath, [...nodeOptions, '--import', SAMPLER.href, SERVER], {
    env: { SEED_USERS: '1000', ...process.env, PORT: '0', HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc']
  })
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  try {
    return { child, url: await urlOf(child), stop }
  } catch (error) {
    if (child.exitCode === null && child.signalCode === null) await stop()
    throw error
  }
}

async function urlOf (child: ChildProcess): Promise<string> {
  return await new Promise((resolve, reject) => {
    let output = ''
    const fail = (what: string): void => { reject(new Error(`the example app ${what}:\n${output}`)) }
    const late = setTimeout(fail, START_WAIT, `did not listen within ${START_WAIT / 1_000} s`)
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        const found = /listens on (\S+)/.exec(output)?.[1]
        if (found !== undefined) {
          clearTimeout(late)
          resolve(found)
        }
      })
    }
    child.once('exit', (code, signal) => {
      clearTimeout(late)
      fail(`ended with ${code ?? signal} before it listened`)
    })
  })
}

/** @throws unless the route answers 2xx, because the profile of an error would look like one of the route */
export async function checkRoute (url: string): Promise<void> {
  const response = await fetch(url)
  const { pathname, search } = new URL(url)
  if (!response.ok) throw new RouteError(`GET ${pathname}${search} answered ${response.status} ${response.statusText}: there is nothing to profile.`)
  await response.arrayBuffer()
}

export class RouteError extends Error {}
