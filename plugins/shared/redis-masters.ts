import { addressOf, isConnected, type RedisClient, type RedisNode } from './redis-client.js'
import { isReply } from './redis-commands.js'
import { slotOf } from './redis-slot.js'

/** Milliseconds between two looks. */
const INTERVAL = 1_000

/** Milliseconds for an answer: a master that hangs must not keep the others from being looked at, nor a command that a client has dropped. */
const PATIENCE = 1_000

/** After these it may be another server that answers; a Cluster's client says of which node. */
const DOUBTFUL = ['close', '-node', '+node'] as const

/** INFO names no key: a Cluster's client would ask any node, and would not learn that another one has a shard now. */
const INFO_OF_NODE = "return redis.call('INFO', 'replication')"

/** Which keys in Redis are meant. */
export type KeyFilter = (key: string) => boolean

export interface RedisMastersOptions {
  client: RedisClient
  /** All masters were the known ones, or those of some keys. @param at on the clock of `performance.now` */
  onSame: (at: number, isSame?: KeyFilter) => void
  /** Another server answers for these keys: what was written since it was last the known one may be missing, and some of before. */
  onChange: (isChanged: KeyFilter) => void
}

/** What is known of a master. */
interface Master {
  /** Of the history of its writes; undefined until it has answered. */
  id: string | undefined
  /** Whether it is one of those that were there from the beginning, or has answered since. */
  known: boolean
  /** How often another server may have taken its place, and when that was last. */
  doubts: number
  doubtedAt: number
  /** As many as there had been when it was asked, and was the known one. */
  dispelled: number
}

/**
 * Notices when another server has become a master. Replication is asynchronous: what a master has acknowledged may not have
 * come to the replica that takes its place. Each history of writes has an id of its own, which a replica changes when it
 * is promoted (https://redis.io/docs/latest/operate/oss_and_stack/management/replication, "Replication ID explained").
 *
 * Each master of a Cluster for itself: one that has died, and is connected to again and again, says nothing of the others.
 */
export class RedisMasters {
  readonly #options: RedisMastersOptions
  readonly #timer: NodeJS.Timeout
  readonly #look = (): void => { void this.#lookOnce() }
  readonly #doubtNode = (node?: RedisNode): void => { this.#doubtOf(node) }

  /** By address; what stands alone has none. */
  readonly #masters = new Map<string, Master>()
  /** All nodes of a Cluster when it was last looked at, replicas too. */
  #nodes: ReadonlySet<string> = new Set()
  /** Of each slot the master that answered for it when it was last looked at. */
  #confirmed: ReadonlyArray<string | undefined> | undefined
  #looking = false
  #closed = false

  constructor (options: RedisMastersOptions) {
    this.#options = options
    this.#timer = setInterval(this.#look, INTERVAL).unref()
    options.client.on?.('ready', this.#look)
    for (const event of DOUBTFUL) options.client.on?.(event, this.#doubtNode)
    this.#look()
  }

  /**
   * When another server may have taken the place of the one that answers for this key in Redis, on the clock of
   * `performance.now`; undefined while that is the known one.
   */
  doubtedAt (key: string): number | undefined {
    const slot = this.#slotOf(key)
    const address = this.#addressAt(slot)
    if (address === undefined) return undefined
    const confirmed = this.#confirmed?.[slot]
    // A redirection leads to another node of a Cluster without a connection that begins or ends.
    if (confirmed !== undefined && confirmed !== address && !isDoubted(this.#masterAt(address))) this.#doubt(address)
    const master = this.#masters.get(address)
    return master !== undefined && isDoubted(master) ? master.doubtedAt : undefined
  }

  close (): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#options.client.off?.('ready', this.#look)
    for (const event of DOUBTFUL) this.#options.client.off?.(event, this.#doubtNode)
  }

  /** A connection has begun or ended: of a Cluster to a node, if that is said. */
  #doubtOf (node: RedisNode | undefined): void {
    const address = node === undefined ? undefined : addressOf(node)
    if (address !== undefined && this.#masters.has(address)) this.#doubt(address)
    // A replica answers for nothing.
    else if (address === undefined || !this.#nodes.has(address)) for (const each of this.#addresses()) this.#doubt(each)
  }

  #doubt (address: string): void {
    const master = this.#masterAt(address)
    master.doubts++
    master.doubtedAt = performance.now()
    this.#look()
  }

  #masterAt (address: string): Master {
    const known = this.#masters.get(address)
    if (known !== undefined) return known
    const master: Master = { id: undefined, known: false, doubts: 0, doubtedAt: -Infinity, dispelled: 0 }
    this.#masters.set(address, master)
    return master
  }

  /** Never rejects: what cannot be seen now is seen later. */
  async #lookOnce (): Promise<void> {
    const { client } = this.#options
    if (this.#looking || this.#closed || !isConnected(client)) return
    this.#looking = true
    const began = performance.now()
    const slots = this.#slots()
    const asked = [...keysByMaster(slots)].map(([address, key]) => ({ address, doubts: this.#masterAt(address).doubts, report: this.#ask(key) }))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => { timer = setTimeout(() => { resolve(undefined) }, PATIENCE).unref() })
    const ids = await Promise.all(asked.map(({ report }) => Promise.race([report.then(replicationId, withoutId), late])))
    clearTimeout(timer)
    this.#looking = false
    if (asked.length === 0 || this.#closed) return
    const answers = asked.flatMap(({ address, doubts }, index) => ids[index] === undefined ? [] : [{ address, doubts, id: ids[index] }])
    this.#learn(slots, answers, began)
    // One that does not answer is asked again in its time.
    if (answers.some(({ address, doubts }) => this.#masters.get(address)!.doubts !== doubts)) setImmediate(this.#look)
  }

  // Clients can throw at once.
  async #ask (key: string): Promise<unknown> {
    const { client } = this.#options
    return client.isCluster === true ? await client.eval(INFO_OF_NODE, 1, key) : await client.info('replication')
  }

  #learn (slots: ReadonlyArray<string | undefined>, answers: readonly Answer[], began: number): void {
    const { onSame, onChange } = this.#options
    const before = this.#confirmed
    if (before === undefined) for (const master of this.#masters.values()) master.known = true
    const answered = new Set(answers.map(({ address }) => address))
    const others = new Set(answers.filter(({ address, id }) => isAnother(this.#masterAt(address), id)).map(({ address }) => address))
    const isAt = (slot: number): boolean => answered.has(slots[slot]!)
    const isChangedAt = (slot: number): boolean => isAt(slot) && (others.has(slots[slot]!) || (before?.[slot] ?? slots[slot]) !== slots[slot])
    const isSameAt = (slot: number): boolean => isAt(slot) && !isChangedAt(slot)
    if (slots.some((_address, slot) => isChangedAt(slot))) onChange((key) => isChangedAt(this.#slotOf(key)))
    for (const { address, doubts, id } of answers) Object.assign(this.#masterAt(address), { id, known: true, dispelled: doubts })
    this.#confirmed = slots.map((address, slot) => before === undefined || isAt(slot) ? address : before[slot])
    // A client's table can lack for a moment what it has again after that.
    for (const address of this.#masters.keys()) if (!slots.includes(address) && !this.#confirmed.includes(address)) this.#masters.delete(address)
    if (slots.every((address, slot) => address === undefined || isSameAt(slot))) onSame(began)
    else if (answered.size > 0) onSame(began, (key) => isSameAt(this.#slotOf(key)))
  }

  #slotOf (key: string): number {
    return this.#options.client.isCluster === true ? slotOf(key) : 0
  }

  #addressAt (slot: number): string | undefined {
    const { client } = this.#options
    return client.isCluster === true ? client.slots?.[slot]?.[0] : ''
  }

  /** Of each slot the address of its master. What stands alone has one slot, and no address. */
  #slots (): ReadonlyArray<string | undefined> {
    const { client } = this.#options
    if (client.isCluster !== true) return ['']
    const slots = client.slots ?? []
    const nodes = new Set<string>()
    // Those of a range are one and the same list.
    slots.forEach((some, slot) => { if (some !== slots[slot - 1]) for (const node of some ?? []) nodes.add(node) })
    this.#nodes = nodes
    return Array.from(slots, (some) => some?.[0])
  }

  #addresses (): ReadonlySet<string> {
    return new Set(this.#slots().filter((address) => address !== undefined))
  }
}

interface Answer {
  readonly address: string
  /** As many as there had been when it was asked. */
  readonly doubts: number
  readonly id: string
}

function isDoubted ({ doubts, dispelled }: Master): boolean {
  return doubts !== dispelled
}

/** Whether it was not there, or not with this history, when it was last looked at. */
function isAnother (master: Master, id: string): boolean {
  return !master.known || (master.id !== undefined && master.id !== id)
}

/** Of each master a key that it answers for. */
function keysByMaster (slots: ReadonlyArray<string | undefined>): Map<string, string> {
  const masters = new Set(slots.filter((address) => address !== undefined))
  const keys = new Map<string, string>()
  if (slots.length === 1) return new Map([[slots[0]!, '']])
  for (let n = 0; keys.size < masters.size && n < slots.length; n++) {
    const key = `{${n}}`
    const address = slots[slotOf(key)]
    if (address !== undefined && !keys.has(address)) keys.set(address, key)
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
