import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { guardian } from './guardian.js'

const logTail = 4_000

export interface GuardedProcessOptions {
  /** Path of the program. */
  command: string
  args: string[]
  /** The program's whole environment. */
  env: NodeJS.ProcessEnv
  /** User and group to run as; root only. */
  user?: { uid: number, gid: number } | undefined
  /** The signal on which the program ends in good order. It has five seconds, then gets SIGKILL. */
  stopSignal: 'SIGTERM' | 'SIGINT'
  /** A throw-away folder, removed when the owner stops the process or dies. */
  removeFolder?: string | undefined
  /** Where the program's output goes. Default: nowhere. */
  logFile?: string
}

export interface GuardedProcess {
  readonly pid: number
  /** The exit status as a shell has it (137: SIGKILL), as soon as the program has gone. */
  readonly exited: Promise<number>
  /** Ends the program and removes the throw-away folder. */
  stop(): Promise<void>
  /** Ends the program in good order, but keeps the folder until `stop`, `leave` or the owner's death. */
  halt(): Promise<void>
  /** After the program has gone: gives up the folder, to whoever uses it now. */
  leave(): Promise<void>
  /** Freezes, thaws or kills the program and its children; resolves once that is done. */
  kill(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void>
  /** The last of the program's output, while it is guarded. */
  log(): string
}

/**
 * Runs a server that never outlives its owner, not even one that crashed or got SIGKILL, and that the terminal's
 * Ctrl-C does not reach: an app drains its requests first and still needs its database for that.
 *
 * The handle does not keep the event loop alive.
 */
export async function guardedProcess (options: GuardedProcessOptions): Promise<GuardedProcess> {
  const { command, args, env, user, stopSignal, removeFolder = '', logFile } = options
  let log = logFile === undefined ? undefined : openLog(logFile)
  // Detached means an own session: the terminal signals the owner's group, not the server.
  const child = spawn('/bin/sh', ['-c', guardian, 'guardian', stopSignal.slice(3), removeFolder, command, ...args], {
    ...user, env, cwd: '/', detached: true, stdio: ['pipe', 'pipe', log ?? 'ignore']
  })
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      if (log !== undefined) closeSync(log)
      log = undefined
      resolve()
    })
  })
  const pipes = [child.stdin, child.stdout] as unknown as Socket[]
  // An order may come when the guardian has just gone; `exited` tells.
  child.stdin!.on('error', () => {})

  const replies: Array<() => void> = []
  let started!: (pid: number) => void
  const start = new Promise<number>((resolve) => { started = resolve })
  const exited = new Promise<number>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line === 'ok') replies.shift()?.()
      else if (line.startsWith('exited ')) resolve(Number(line.slice(7)))
      else started(Number(line))
    })
    child.once('exit', (status) => { resolve(status ?? 137) })
  })

  let waiting = 0
  const awaited = async <T>(promise: Promise<T>): Promise<T> => {
    if (waiting++ === 0) for (const handle of [child, ...pipes]) handle.ref()
    try {
      return await promise
    } finally {
      if (--waiting === 0) for (const handle of [child, ...pipes]) handle.unref()
    }
  }
  const order = async (name: string): Promise<void> => {
    const done = new Promise<void>((resolve) => { replies.push(resolve) })
    child.stdin!.write(`${name}\n`)
    await awaited(Promise.race([done, exited]))
  }

  await once(child, 'spawn')
  const pid = await awaited(Promise.race([start, gone]))
  if (pid === undefined) throw new Error(`The guardian of ${command} ended before it could start it`)
  return {
    pid,
    exited,
    async stop () {
      child.stdin!.end()
      await awaited(gone)
    },
    async halt () {
      await order('halt')
      await awaited(exited)
    },
    async leave () {
      child.stdin!.write('leave\n')
      await awaited(gone)
    },
    async kill (signal) {
      await order(signal.slice(3))
      if (signal === 'SIGKILL') await awaited(exited)
    },
    log () {
      return log === undefined ? '' : tail(log)
    }
  }
}

/** The folder can belong to the unprivileged user that the server runs as: as root, its links are not followed. */
function openLog (path: string): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants
  return openSync(path, O_RDWR | O_CREAT | O_APPEND | (O_NOFOLLOW ?? 0), 0o600)
}

function tail (file: number): string {
  const { size } = fstatSync(file)
  const buffer = Buffer.alloc(Math.min(size, logTail))
  readSync(file, buffer, 0, buffer.length, size - buffer.length)
  return buffer.toString().trim()
}
