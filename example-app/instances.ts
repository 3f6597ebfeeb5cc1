import cluster, { type Worker } from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import type { Backends } from './backends.js'

/** What a worker tells the primary, once. */
export type WorkerReport = { listening: string } | { failed: string }

/** How long an instance may take to finish its requests. */
const DRAIN = 10_000

/** Milliseconds before an instance that died is replaced; twice as long after each one that could not start. */
const RESPAWN_PAUSE = 500
const LONGEST_PAUSE = 30_000

/** An instance was gone before it had said anything. */
export class EndedEarly extends Error {
  readonly signal: string | null

  constructor (code: number | null, signal: string | null) {
    super(`an instance ended before it listened (${signal ?? `status ${code}`})`)
    this.signal = signal
  }
}

/** Several processes of the app on one port; one that dies is replaced. */
export class Instances {
  readonly #backends: Pick<Backends, 'databaseUrl' | 'redisUrl' | 'redisDurable'>
  #stopping = false

  constructor (backends: Pick<Backends, 'databaseUrl' | 'redisUrl' | 'redisDurable'>) {
    this.#backends = backends
  }

  /** @returns their URL, once all of them listen. @throws what stopped one of them from starting */
  async start (count: number): Promise<string> {
    const urls = await Promise.all(Array.from({ length: count }, (_, index) => firstReport(this.#fork(index + 1))))
    return urls[0]!
  }

  /** Lets every instance finish its requests. */
  async stop (): Promise<void> {
    this.#stopping = true
    await Promise.all(Object.values(cluster.workers ?? {}).map(async (worker) => {
      if (worker === undefined || worker.isDead()) return
      const gone = new Promise((resolve) => { worker.once('exit', resolve) })
      worker.process.kill('SIGTERM')
      const killer = setTimeout(() => { worker.process.kill('SIGKILL') }, DRAIN)
      await gone
      clearTimeout(killer)
    }))
  }

  #fork (number: number): Worker {
    const worker = cluster.fork({
      DATABASE_URL: this.#backends.databaseUrl,
      REDIS_URL: this.#backends.redisUrl ?? '',
      HEADROOM_REDIS_DURABLE: String(this.#backends.redisDurable),
      HEADROOM_INSTANCE: String(number)
    })
    worker.once('listening', () => {
      worker.once('exit', (code, signal) => {
        if (this.#stopping) return
        process.stderr.write(`Instance ${number} ended (${signal ?? `status ${code}`}); starting another\n`)
        this.#replace(number, RESPAWN_PAUSE)
      })
    })
    return worker
  }

  #replace (number: number, pause: number): void {
    void delay(pause).then(() => {
      if (this.#stopping) return
      firstReport(this.#fork(number)).catch(({ message }: Error) => {
        if (this.#stopping) return
        const next = Math.min(2 * pause, LONGEST_PAUSE)
        process.stderr.write(`Instance ${number} could not start (${message}); trying again in ${next / 1_000} s\n`)
        this.#replace(number, next)
      })
    })
  }
}

async function firstReport (worker: Worker): Promise<string> {
  return await new Promise((resolve, reject) => {
    worker.once('message', (report: WorkerReport) => {
      if ('listening' in report) resolve(report.listening)
      else reject(new Error(report.failed))
    })
    worker.once('exit', (code, signal) => reject(new EndedEarly(code, signal)))
  })
}
