import cluster, { type Worker } from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import type { Backends } from './backends.js'

/** What a worker tells the primary, once. */
export type WorkerReport = { listening: string } | { failed: string }

export interface Instances {
  url: string
  /** Lets every instance finish its requests. */
  stop (): Promise<void>
}

/** How long an instance may take to finish its requests. */
const DRAIN = 10_000

/** Pause before an instance that died is replaced, so that one that cannot live does not spin. */
const RESPAWN_PAUSE = 500

/**
 * Forks the instances, which share one port, and replaces one that dies.
 *
 * @throws what stopped an instance from starting
 */
export async function startInstances (count: number, backends: Pick<Backends, 'databaseUrl' | 'redisUrl'>): Promise<Instances> {
  let stopping = false
  const fork = (number: number): Worker => {
    const worker = cluster.fork({
      DATABASE_URL: backends.databaseUrl, REDIS_URL: backends.redisUrl ?? '', HEADROOM_INSTANCE: String(number)
    })
    worker.once('exit', (code, signal) => {
      if (stopping) return
      process.stderr.write(`Instance ${number} ended (${signal ?? `status ${code}`}); starting another\n`)
      void delay(RESPAWN_PAUSE).then(() => { if (!stopping) fork(number) })
    })
    return worker
  }

  const stop = async (): Promise<void> => {
    stopping = true
    await Promise.all(Object.values(cluster.workers ?? {}).map(async (worker) => {
      if (worker === undefined || worker.isDead()) return
      const gone = new Promise((resolve) => { worker.once('exit', resolve) })
      worker.process.kill('SIGTERM')
      const killer = setTimeout(() => { worker.process.kill('SIGKILL') }, DRAIN)
      await gone
      clearTimeout(killer)
    }))
  }

  try {
    const urls = await Promise.all(Array.from({ length: count }, (_, index) => firstReport(fork(index + 1))))
    return { url: urls[0]!, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function firstReport (worker: Worker): Promise<string> {
  return await new Promise((resolve, reject) => {
    worker.once('message', (report: WorkerReport) => {
      if ('listening' in report) resolve(report.listening)
      else reject(new Error(report.failed))
    })
    worker.once('exit', () => reject(new Error('an instance ended before it listened')))
  })
}
