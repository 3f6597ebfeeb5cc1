import type { AddressInfo } from 'node:net'
import { loadEntry } from './entries.js'
import { answerQuestions } from './questions.js'

/** One variant of a server entry, serving from its own process; measure-server.ts asks. */

export type ServerQuestion = 'listen' | 'cpu'

export interface Listening { url: string }

export interface CpuTime {
  /** Microseconds since the process began. */
  cpu: number
}

const [name, variant] = process.argv.slice(2) as [string, string]

answerQuestions<{ what: ServerQuestion }>(async ({ what }) => what === 'listen' ? await listen() : cpuTime())
process.once('disconnect', () => { process.exit() })

async function listen (): Promise<Listening> {
  const entry = await loadEntry(name)
  if (entry.kind !== 'server') throw new Error(`${name} is not a server entry`)
  const app = await entry.variants[variant]!()
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}${entry.path}` }
}

function cpuTime (): CpuTime {
  const { user, system } = process.cpuUsage()
  return { cpu: user + system }
}
