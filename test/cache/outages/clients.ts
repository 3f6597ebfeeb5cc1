import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Test } from 'tap'
import { freshPrefix } from '../build-app.js'
import type { Data, Order, Said } from '../fixtures/outage-clients.js'
import type { Connection } from './connection.js'
import type { Findings } from './findings.js'
import { Ledger } from './ledger.js'
import { LoadTimes } from './load-times.js'
import { fixture } from '../../helpers/project.js'

/** Two hundred clients of two processes, at work. */
export interface Clients {
  tell (order: Order): void
  /** Resolves when both are connected to Redis: how soon they are is their client's to say, and no matter of the cache. */
  connected (): Promise<void>
  /** Of each process, since it was last asked. */
  findings (): Promise<Findings[]>
}

/** @param connections how each process reaches Redis */
export async function startClients (t: Test, connections: readonly [Connection, Connection]): Promise<Clients> {
  const [ledger, loads] = [new Ledger(), new LoadTimes()]
  const prefix = freshPrefix('outage')
  const workers = connections.map((connection, parity) => {
    const workerData: Data = { connection, prefix, parity, ledger: ledger.buffer, loads: loads.buffer }
    return new Worker(fixture('../fixtures/outage-clients.ts', import.meta.url), { workerData })
  })
  const tell = (order: Order): void => { for (const worker of workers) worker.postMessage(order) }
  // An error of a worker rejects this.
  const answers = async (): Promise<Said[]> => await Promise.all(workers.map(async (worker) => (await once(worker, 'message') as [Said])[0]))

  t.teardown(async () => {
    const ends = workers.map((worker) => once(worker, 'exit'))
    tell({ kind: 'stop' })
    await Promise.all(ends)
  })
  await answers()
  tell({ kind: 'start' })
  return {
    tell,
    async connected () {
      tell({ kind: 'connect' })
      await answers()
    },
    async findings () {
      tell({ kind: 'tell' })
      return (await answers()).map(({ findings }) => findings!)
    }
  }
}
