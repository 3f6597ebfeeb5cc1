import { isConnected, type RedisClient } from './redis-client.js'

/** Milliseconds between two looks. */
const INTERVAL = 1_000

type Master = Pick<RedisClient, 'info'>

/**
 * Notices when another server has become a master. Replication is asynchronous: what a master has acknowledged may not have
 * come to the replica that takes its place. Each history of writes has an id of its own, which a replica changes when it
 * is promoted (https://redis.io/docs/latest/operate/oss_and_stack/management/replication, "Replication ID explained").
 */
export class RedisMasters {
  readonly #client: RedisClient
  readonly #onChange: () => void
  readonly #timer: NodeJS.Timeout
  /** Those that have not answered yet: one that hangs is not asked again and again. */
  readonly #unanswered = new WeakSet<Master>()
  /** Those of the first look, until they have answered once. */
  #first: WeakSet<Master> | undefined
  readonly #known = new Set<string>()

  /** @param onChange another server answers for some of the data: the last that was written before may be missing */
  constructor (client: RedisClient, onChange: () => void) {
    this.#client = client
    this.#onChange = onChange
    this.#timer = setInterval(() => { this.#look() }, INTERVAL).unref()
    this.#look()
  }

  close (): void {
    clearInterval(this.#timer)
  }

  #look (): void {
    if (!isConnected(this.#client)) return
    const masters: readonly Master[] = this.#client.isCluster === true ? this.#client.nodes?.('master') ?? [] : [this.#client]
    if (masters.length === 0) return
    this.#first ??= new WeakSet(masters)
    for (const master of masters) if (!this.#unanswered.has(master)) void this.#ask(master)
  }

  /** Never rejects: what cannot be seen now is seen later. */
  async #ask (master: Master): Promise<void> {
    this.#unanswered.add(master)
    try {
      const id = replicationId(await master.info('replication'))
      if (id !== undefined) this.#seen(master, id)
    } catch {
    } finally {
      this.#unanswered.delete(master)
    }
  }

  #seen (master: Master, id: string): void {
    const isFirst = this.#first!.delete(master)
    if (this.#known.has(id)) return
    this.#known.add(id)
    if (!isFirst) this.#onChange()
  }
}

function replicationId (report: string): string | undefined {
  return /^master_replid:([0-9a-f]{40})/m.exec(report)?.[1]
}
