import { isConnected, type RedisClient } from './redis-client.js'
import { isReply } from './redis-commands.js'
import { slotOf } from './redis-slot.js'

/** Milliseconds between two looks. */
const INTERVAL = 1_000

/** Milliseconds for an answer: a master that hangs must not keep the others from being looked at, nor a command that a client has dropped. */
const PATIENCE = 1_000

/** After these it may be another server that answers; of a Cluster's client the last two. */
const DOUBTFUL = ['close', '-node', '+node']

/** INFO names no key: a Cluster's client would ask any node, and would not learn that another one has a shard now. */
const INFO_OF_NODE = "return redis.call('INFO', 'replication')"

export interface RedisMastersOptions {
  client: RedisClient
  /** All masters were the known ones. @param at on the clock of `performance.now` */
  onSame: (at: number) => void
  /** Another server answers for some of the data: what was written since they were last the known ones may be missing, and some of before. */
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
  readonly #look = (): void => { void this.#lookOnce() }
  readonly #doubt = (): void => {
    this.#doubts++
    this.#doubtedAt = performance.now()
    this.#look()
  }

  /** Of each master the id of its history; undefined until it has answered. */
  #known: Map<string, string | undefined> | undefined
  #doubts = 0
  #doubtedAt = -Infinity
  /** As many as there had been when a look began that found the masters to be known. */
  #dispelled = 0
  #looking = false
  #closed = false

  constructor (options: RedisMastersOptions) {
    this.#options = options
    this.#timer = setInterval(this.#look, INTERVAL).unref()
    options.client.on?.('ready', this.#look)
    for (const event of DOUBTFUL) options.client.on?.(event, this.#doubt)
    this.#look()
  }

  /**
   * When another server may have taken the place of the one that answers for this key in Redis, on the clock of
   * `performance.now`; undefined while that is the known one.
   */
  doubtedAt (key: string): number | undefined {
    // A redirection leads to another node of a Cluster without a connection that begins or ends.
    if (this.#doubts === this.#dispelled && this.#isNewMaster(key)) this.#doubt()
    return this.#doubts === this.#dispelled ? undefined : this.#doubtedAt
  }

  close (): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#options.client.off?.('ready', this.#look)
    for (const event of DOUBTFUL) this.#options.client.off?.(event, this.#doubt)
  }

  #isNewMaster (key: string): boolean {
    const { client } = this.#options
    if (client.isCluster !== true || this.#known === undefined) return false
    const master = client.slots?.[slotOf(key)]?.[0]
    return master !== undefined && !this.#known.has(master)
  }

  /** Never rejects: what cannot be seen now is seen later. */
  async #lookOnce (): Promise<void> {
    const { client, onSame, onChange } = this.#options
    if (this.#looking || this.#closed || !isConnected(client)) return
    this.#looking = true
    const began = performance.now()
    const doubts = this.#doubts
    const asked = this.#ask()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => { timer = setTimeout(() => { resolve(undefined) }, PATIENCE).unref() })
    const ids = await Promise.all(asked.map(({ report }) => Promise.race([report.then(replicationId, withoutId), late])))
    clearTimeout(timer)
    this.#looking = false
    if (asked.length === 0 || this.#closed) return
    const changed = this.#learn(asked.map(({ master }) => master), ids)
    if (changed) onChange()
    if (!ids.includes(undefined)) {
      this.#dispelled = doubts
      if (!changed) onSame(began)
    }
    if (this.#doubts !== doubts) setImmediate(this.#look)
  }

  #ask (): Array<{ readonly master: string, readonly report: Promise<unknown> }> {
    const { client } = this.#options
    // Clients can throw at once.
    const reportOf = async (ask: () => Promise<unknown>): Promise<unknown> => await ask()
    if (client.isCluster !== true) return [{ master: '', report: reportOf(() => client.info('replication')) }]
    return [...keysByMaster(client.slots ?? [])].map(([master, key]) => ({ master, report: reportOf(() => client.eval(INFO_OF_NODE, 1, key)) }))
  }

  /** @returns whether there is one that was not there, or not with this history, when they were last looked at */
  #learn (masters: readonly string[], ids: ReadonlyArray<string | undefined>): boolean {
    const before = this.#known
    const known = new Map<string, string | undefined>()
    let changed = false
    masters.forEach((master, index) => {
      const id = ids[index]
      const isNew = before !== undefined && !before.has(master)
      // A new one is known from when it has answered: till then it is looked at again.
      if (isNew && id === undefined) return
      const knownId = before?.get(master)
      if (isNew || (id !== undefined && knownId !== undefined && id !== knownId)) changed = true
      known.set(master, id ?? knownId)
    })
    this.#known = known
    return changed
  }
}

/** Of each master a key that it answers for. */
function keysByMaster (slots: NonNullable<RedisClient['slots']>): Map<string, string> {
  const masters = new Set(slots.flatMap((nodes) => nodes?.[0] ?? []))
  const keys = new Map<string, string>()
  for (let n = 0; keys.size < masters.size && n < slots.length; n++) {
    const key = `{${n}}`
    const master = slots[slotOf(key)]?.[0]
    if (master !== undefined && !keys.has(master)) keys.set(master, key)
  }
  return keys
}

function replicationId (report: unknown): string {
  return /^master_replid:([0-9a-f]{40})/m.exec(String(report))?.[1] ?? UNKNOWN
}

/** A server that does not tell, or not us: then there is nothing to compare. One that is loading will tell later. */
function withoutId (error: unknown): string | undefined {
  return isReply(error) && /^(?:NOPERM|ERR) /.test((error as Error).message) ? UNKNOWN : undefined
}

const UNKNOWN = 'unknown'
