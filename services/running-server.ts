import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './free-port.js'
import { guardedProcess, type GuardedProcess, type GuardedProcessOptions } from './guarded-process.js'

const readyWithin = 20_000
const attempts = 5

/** A real server on 127.0.0.1 that goes with its owner. It does not keep the owner's event loop alive. */
export interface RunningServer {
  readonly url: string
  readonly host: string
  readonly port: number
  /** Changes with `restart`. */
  readonly pid: number
  /** Ends it in good order and removes what it leaves behind, unless that was to be kept. */
  stop(): Promise<void>
  /** Freezes it, as a machine that stopped answering: connections stay open. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Ends it as a crash does. Its data stay for `restart`. */
  kill(): Promise<void>
  /** Starts it again on the same port with the same data; a living one is ended in good order first. */
  restart(): Promise<void>
}

export interface ServerRecipe {
  /** For error messages. */
  name: string
  /** Default: a free one. */
  port?: number | undefined
  url (port: number): string
  process (port: number): GuardedProcessOptions
  /** Whether the process with this pid, and no other, serves on this port. */
  isReady (port: number, pid: number): Promise<boolean>
  /** What the server writes when somebody else listens on its port. */
  portTaken: RegExp
}

export async function startServer (recipe: ServerRecipe): Promise<RunningServer> {
  let current: GuardedProcess | undefined

  async function launch (port: number): Promise<GuardedProcess> {
    const before = current
    current = await guardedProcess(recipe.process(port))
    // Only now that another guardian looks after the folder.
    await before?.leave()
    await untilReady(recipe, port, current)
    return current
  }

  async function launchSomewhere (): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const port = recipe.port ?? await freePort()
      try {
        await launch(port)
        return port
      } catch (error) {
        const taken = recipe.portTaken.test((error as Error).message)
        if (taken && recipe.port === undefined && attempt < attempts) continue
        await current?.stop()
        throw error
      }
    }
  }

  const port = await launchSomewhere()
  return {
    url: recipe.url(port),
    host: '127.0.0.1',
    port,
    get pid () { return current!.pid },
    stop: () => current!.stop(),
    pause: () => current!.kill('SIGSTOP'),
    resume: () => current!.kill('SIGCONT'),
    kill: () => current!.kill('SIGKILL'),
    async restart () {
      await current!.halt()
      await launch(port)
    }
  }
}

async function untilReady (recipe: ServerRecipe, port: number, child: GuardedProcess): Promise<void> {
  let status: number | undefined
  void child.exited.then((code) => { status = code })
  const deadline = Date.now() + readyWithin
  while (!await recipe.isReady(port, child.pid)) {
    if (status !== undefined) {
      throw new Error(`${recipe.name} ended with status ${status} before it was ready: ${child.log()}`)
    }
    if (Date.now() > deadline) {
      throw new Error(`${recipe.name} was not ready within ${readyWithin / 1000} s: ${child.log()}`)
    }
    await delay(5)
  }
}
