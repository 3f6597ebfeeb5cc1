import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'

/** An app in a process of its own, which a crash or a blocked event loop does not share with the test. */
export interface AppProcess {
  /** Where it listens; a restart does not change it. */
  readonly url: string
  readonly port: number
  /** Changes with `restart`. */
  readonly pid: number
  /** The exit status of the present process, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** Everything it has written so far, to stdout and stderr, restarts included. */
  output(): string
  /** What it has sent with `process.send`, in order. */
  messages(): unknown[]
  /** For `process.on('message')` in the app. */
  send(message: object): void
  /** SIGSTOP: its connections stay open, and nobody answers. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** SIGKILL: no hook runs and no connection is closed in good order. */
  kill(): Promise<void>
  /** SIGTERM, and SIGKILL when it is still there after five seconds. */
  stop(): Promise<void>
  /** Starts it again on the same port; a living one is stopped first. */
  restart(): Promise<void>
}

export interface AppProcessOptions {
  /** Added to the test's own environment. */
  env?: Record<string, string>
  args?: string[]
}

const patience = 5_000

/**
 * Runs a file that ends with `await serve(app)`; resolves when the app listens, rejects with its output when it ends
 * before. The file may be TypeScript: it is loaded as tests are. The app is gone when the test has ended or was killed.
 */
export async function runApp (t: Test, file: URL, { env, args = [] }: AppProcessOptions = {}): Promise<AppProcess> {
  const messages: unknown[] = []
  let output = ''
  let child!: ChildProcess
  let ended!: Promise<number | NodeJS.Signals>

  async function start (port: number): Promise<number> {
    child = fork(fileURLToPath(file), args, {
      env: { ...process.env, ...env, PORT: String(port) }, stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => { output += text })
    }
    endWithThisProcess(child)
    return await new Promise((resolve, reject) => {
      child.on('message', (message: object) => {
        if ('listensOn' in message) resolve(message.listensOn as number)
        else messages.push(message)
      })
      void ended.then((status) => { reject(new Error(`${file.pathname} ended with ${status} before it listened:\n${output}`)) })
    })
  }

  async function kill (): Promise<void> {
    child.kill('SIGKILL')
    await ended
  }

  async function stop (): Promise<void> {
    child.kill('SIGTERM')
    // A frozen one hears the first signal after the second.
    child.kill('SIGCONT')
    const late = setTimeout(() => { child.kill('SIGKILL') }, patience)
    await ended
    clearTimeout(late)
  }

  t.teardown(kill)
  const port = await start(0)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get pid () { return child.pid! },
    get ended () { return ended },
    output: () => output,
    messages: () => [...messages],
    send (message) { child.send(message) },
    pause () { child.kill('SIGSTOP') },
    resume () { child.kill('SIGCONT') },
    kill,
    stop,
    async restart () {
      await stop()
      await start(port)
    }
  }
}

/** In the file that `runApp` runs: listens, and tells the test where. */
export async function serve (app: FastifyInstance): Promise<void> {
  await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
  process.send!({ listensOn: (app.server.address() as AddressInfo).port })
}

/**
 * Has the app killed when this process ends, however it ends. Not left to the app, which hears nothing when it is
 * frozen or its event loop is blocked: a shell waits for the end of a pipe that this process holds.
 */
export function endWithThisProcess (app: ChildProcess): void {
  const script = 'trap "" HUP INT TERM; read -r line; kill -s KILL "$0"'
  // Its own session: Ctrl-C in the terminal does not reach it.
  const guard = spawn('/bin/sh', ['-c', script, String(app.pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  guard.unref()
  // The pid may soon be another's.
  app.once('exit', () => { guard.kill('SIGKILL') })
}
