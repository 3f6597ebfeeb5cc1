import { isConnected, type RedisClient } from './redis-client.js'
import type { RedisCommands } from './redis-commands.js'

/** Milliseconds between two looks. */
const INTERVAL = 1_000

export interface RedisMastersOptions {
  client: RedisClient
  commands: RedisCommands
  /** Another server answers for some of the data: the last that was written before may be missing. */
  onChange: () => void
}

/**
 * Notices when another server has become a master. Replication is asynchronous: what a master has acknowledged may not have
 * come to the replica that takes its place. Each history of writes has an id of its own, which a replica changes when it
 * is promoted (https://redis.io/docs/latest/operate/oss_and_stack/management/replication, "Replication ID explained").
 */
export class RedisMasters {
  readonly #options: RedisMastersOptions
  readonly #timer: NodeJS.Timeout
  #known: ReadonlySet<string> | undefined
  #looking = false

  constructor (options: RedisMastersOptions) {
    this.#options = options
    this.#timer = setInterval(() => { void this.#look() }, INTERVAL).unref()
    void this.#look()
  }

  close (): void {
    clearInterval(this.#timer)
  }

  /** Never rejects: what cannot be seen now is seen later. */
  async #look (): Promise<void> {
    if (this.#looking || !isConnected(this.#options.client)) return
    this.#looking = true
    try {
      const ids = await this.#ids()
      const before = this.#known
      // A master that is not seen now may be on its way out; those that were known stay known.
      this.#known = new Set([...before ?? [], ...ids])
      if (before !== undefined && ids.some((id) => !before.has(id))) this.#options.onChange()
    } catch {
    } finally {
      this.#looking = false
    }
  }

  async #ids (): Promise<string[]> {
    const { client, commands } = this.#options
    const masters = client.isCluster === true ? client.nodes?.('master') ?? [] : [client]
    const reports = await Promise.allSettled(masters.map((master) => commands.read(() => master.info('replication'))))
    return reports.flatMap((report) => report.status === 'fulfilled' ? replicationId(report.value) ?? [] : [])
  }
}

function replicationId (report: string): string | undefined {
  return /^master_replid:([0-9a-f]{40})/m.exec(report)?.[1]
}
