import { isOutage } from '../shared/outage.js'
import { currentContext } from '../shared/request-context.js'
import { captureStack } from './call-site.js'
import { BusyError } from './errors.js'
import type { Asked, Hold } from './holds.js'
import type { MongoClient } from './mongo-client.js'
import { PoolWatch, type PoolGauges, type Waiting, type WatchReports, type WatchSettings } from './pool-watch.js'

/** Of the driver's events for pools (CMAP specification, "Connection Pool Monitoring"). */
interface PoolEvent {
  address: string
  connectionId?: number
  durationMS?: number
  reason?: string
  error?: unknown
}

/** Of its events for servers (SDAM specification): a server of which nothing is known is away. */
interface TopologyEvent {
  newDescription: { servers: ReadonlyMap<string, { type: string }> }
}

/** What is not in the driver's types: the pool of each server. */
interface Topology {
  topology?: { s?: { servers?: ReadonlyMap<string, { pool?: ServerPool }> } }
}

interface ServerPool {
  totalConnectionCount: number
  availableConnectionCount: number
  pendingConnectionCount: number
  waitQueueSize: number
}

interface Asker {
  readonly address: string
  readonly since: number
  readonly asked: Asked
  readonly wait: Waiting | undefined
}

/** Of so many operations one has its stack captured. */
const SAMPLE = 100

/** Milliseconds that a sign of life may take. */
const ASK_WITHIN = 1_000

/**
 * The pools of a MongoClient under watch, one for each server, taken together. The driver tells of them by events, and lets
 * nobody refuse who asks.
 */
export class MongoWatch extends PoolWatch {
  readonly kind = 'mongodb'
  readonly #client: MongoClient & Topology
  readonly #listeners: ReadonlyArray<readonly [string, (event: any) => void]>
  /** Connections that are open, as far as events have told: `address#id`. */
  readonly #open = new Set<string>()
  readonly #addresses = new Set<string>()
  readonly #held = new Map<string, Hold>()
  /** Who waits for a connection; also who has given up, which the driver tells nobody. */
  #askers: Asker[] = []
  #operations = 0
  #hasServer = true

  constructor (name: string, client: MongoClient, settings: WatchSettings, reports: WatchReports) {
    super(name, settings, reports)
    this.#client = client
    this.#listeners = [
      ['connectionCheckOutStarted', (event: PoolEvent) => { this.#asks(event) }],
      ['connectionCheckedOut', (event: PoolEvent) => { this.#has(event) }],
      ['connectionCheckOutFailed', (event: PoolEvent) => { this.#failed(event) }],
      ['connectionCheckedIn', (event: PoolEvent) => {
        const id = idOf(event)
        const hold = this.#held.get(id)
        if (hold === undefined) return
        this.#held.delete(id)
        this.released(hold, this.#hasServer)
      }],
      ['connectionReady', (event: PoolEvent) => {
        this.counters.opened++
        this.#open.add(idOf(event))
        this.created(event.durationMS ?? 0)
      }],
      ['connectionClosed', (event: PoolEvent) => {
        if (this.#open.delete(idOf(event))) this.counters.closed++
        if (event.reason === 'error' && event.error != null) this.counters.errors++
      }],
      ['topologyDescriptionChanged', ({ newDescription: { servers } }: TopologyEvent) => {
        this.#hasServer = [...servers.values()].some(({ type }) => type !== 'Unknown')
        if (this.#hasServer) this.answered()
        else this.isAway()
      }]
    ]
    for (const [event, listener] of this.#listeners) client.on(event, listener)
  }

  close (): void {
    for (const [event, listener] of this.#listeners) this.#client.off(event, listener)
  }

  protected gauges (): PoolGauges {
    const { maxPoolSize = 100 } = this.#client.options
    const max = maxPoolSize === 0 ? Infinity : maxPoolSize * Math.max(1, this.#addresses.size)
    const pools = this.#serverPools()
    // Of a driver in which they cannot be found, what its events have told.
    if (pools.length === 0) return { size: this.#open.size, idle: Math.max(0, this.#open.size - this.holds.size), waiting: this.#askers.length, max }
    const sum = (count: keyof ServerPool): number => pools.reduce((total, pool) => total + pool[count], 0)
    return { size: sum('totalConnectionCount'), idle: sum('availableConnectionCount'), waiting: sum('waitQueueSize'), max }
  }

  protected async ask (): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    try {
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => { reject(new BusyError(this.name)) }, ASK_WITHIN)
      })
      await Promise.race([this.#client.db('admin').command({ ping: 1 }), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Still in the context of the request that asks. */
  #asks ({ address }: PoolEvent): void {
    this.counters.asked++
    this.#addresses.add(address)
    const { size, idle, waiting, max } = this.gauges()
    const since = this.settings.now()
    const wait = idle > waiting ? undefined : { since, isFull: idle + max - size <= waiting, utilization: performance.eventLoopUtilization() }
    const stack = this.#operations++ % SAMPLE === 0 ? captureStack(this.#client.on) : undefined
    this.#askers.push({ address, since, wait, asked: { stack, context: currentContext(), sql: undefined } })
  }

  #has (event: PoolEvent): void {
    const id = idOf(event)
    this.#open.add(id)
    const asker = this.#askerOf(event)
    const hold = this.acquired()
    this.#held.set(id, hold)
    if (asker === undefined) return
    hold.asked = asker.asked
    this.waited(hold.since - asker.since, asker.wait)
  }

  #failed (event: PoolEvent): void {
    this.#askerOf(event)
    if (event.reason === 'timeout') this.counters.timeouts++
    else this.counters.failed++
    if (isOutage(event.error)) this.isAway()
  }

  /** The events do not say of whom they tell: it is who has waited for so long as they say. */
  #askerOf ({ address, durationMS = 0 }: PoolEvent): Asker | undefined {
    const began = this.settings.now() - durationMS
    let nearest = -1
    let distance = Infinity
    for (const [index, asker] of this.#askers.entries()) {
      const off = Math.abs(asker.since - began)
      if (asker.address !== address || off >= distance) continue
      nearest = index
      distance = off
    }
    const [asker] = nearest === -1 ? [] : this.#askers.splice(nearest, 1)
    this.#forgetThoseWhoLeft()
    return asker
  }

  /** An operation whose signal aborts ends without an event. */
  #forgetThoseWhoLeft (): void {
    const pools = this.#serverPools()
    if (pools.length === 0) return
    const present = pools.reduce((total, { waitQueueSize, pendingConnectionCount }) => total + waitQueueSize + pendingConnectionCount, 0)
    // The one that is just being served stands in the queue still.
    if (this.#askers.length > present + 1) this.#askers = this.#askers.slice(-present - 1)
  }

  #serverPools (): ServerPool[] {
    const servers = this.#client.topology?.s?.servers
    if (!(servers instanceof Map)) return []
    const pools: ServerPool[] = []
    for (const { pool } of servers.values() as Iterable<{ pool?: ServerPool }>) if (typeof pool?.waitQueueSize === 'number') pools.push(pool)
    return pools
  }
}

function idOf ({ address, connectionId }: PoolEvent): string {
  return `${address}#${connectionId}`
}
