import { currentContext, inContext } from '../shared/request-context.js'
import { captureStack } from './call-site.js'
import { isAwayError } from './driver-errors.js'
import { BusyError } from './errors.js'
import type { Hold } from './holds.js'
import { MongoAskers, NOBODY, type Asker } from './mongo-askers.js'
import type { MongoClient } from './mongo-client.js'
import { isServerPool, type ServerPool, type Topology, type TopologyDescription } from './mongo-server-pools.js'
import { PoolWatch, type PoolGauges, type WatchReports, type WatchSettings } from './pool-watch.js'
import { PROMPT } from './readiness.js'
import { hasConnection } from './unavailable.js'

/** Of the driver's events for pools (CMAP specification, "Connection Pool Monitoring"). */
interface PoolEvent {
  address: string
  connectionId?: number | undefined
  durationMS?: number
  reason?: string
  error?: unknown
}

/** Of so many operations one has its stack captured. */
const SAMPLE = 100

/** The driver and Mongoose have a score of frames of their own between a route and its connection. */
const FRAMES = 40

/**
 * The pools of a MongoClient under watch, one for each server, taken together. The driver tells of them by events, and lets
 * nobody refuse who asks.
 */
export class MongoWatch extends PoolWatch {
  readonly kind = 'mongodb'
  readonly #client: MongoClient
  readonly #listeners: ReadonlyArray<readonly [string, (event: any) => void]>
  /** Connections that are open: `address#id`. */
  readonly #open = new Set<string>()
  readonly #addresses = new Set<string>()
  #askedLast: string | undefined
  readonly #held = new Map<string, Hold>()
  readonly #askers = new MongoAskers((work) => this.#safely<void>(work))
  #operations = 0
  #hasServer: boolean
  readonly #arrive: () => void
  /** The connection that is on its way back: one that broke is closed before it is there. */
  #returning: string | undefined
  /** The connection that could not be opened: the driver tells next that who wanted it has none, and not which. */
  #notOpened: number | undefined
  #hasFailed = false

  constructor (name: string, client: MongoClient, settings: WatchSettings, reports: WatchReports) {
    super(name, settings, reports)
    this.#client = client
    this.#hasServer = hasServer(this.#topology?.description)
    if (!this.#hasServer) this.readiness.away()
    this.#takeOver()
    const asks = this.#safely((event: PoolEvent) => { this.#asks(event, asks) })
    this.#arrive = this.#safely<void>(() => { this.#arrived() })
    const isBack = this.#safely<void>(() => { this.#isBack() })
    this.#listeners = [
      ['connectionCheckOutStarted', asks],
      ['connectionCheckedOut', this.#safely((event: PoolEvent) => { this.#has(event) })],
      ['connectionCheckOutFailed', this.#safely((event: PoolEvent) => { this.#failed(event) })],
      ['connectionCheckedIn', this.#safely((event: PoolEvent) => {
        const id = idOf(event)
        const hold = this.#held.get(id)
        this.#returning = id
        queueMicrotask(isBack)
        if (hold === undefined) return
        this.#held.delete(id)
        this.ended(hold, false)
      })],
      ['connectionCreated', this.#safely(({ address, connectionId }: PoolEvent) => {
        const isForOne = this.#serverPools().some((pool) => pool.address === address && pool.processingWaitQueue === true)
        if (isForOne) this.#askers.opens(address, connectionId!)
      })],
      ['connectionReady', this.#safely((event: PoolEvent) => {
        this.#opened(idOf(event))
        this.load.created(event.durationMS ?? 0)
      })],
      ['connectionClosed', this.#safely((event: PoolEvent) => { this.#closed(event) })],
      ['topologyDescriptionChanged', this.#safely(({ newDescription }: { newDescription: TopologyDescription }) => {
        const hadServer = this.#hasServer
        this.#hasServer = hasServer(newDescription)
        if (!this.#hasServer) this.readiness.away()
        else if (!hadServer) this.readiness.answered(settings.now())
      })]
    ]
    for (const [event, listener] of this.#listeners) client.on(event, listener)
  }

  override look (): void {
    this.#forgetThoseWhoLeft()
    super.look()
  }

  close (): void {
    for (const [event, listener] of this.#listeners) this.#client.off(event, listener)
  }

  protected gauges (): PoolGauges {
    this.#forgetThoseWhoLeft()
    const pools = this.#serverPools()
    // Who was asked, and is there still: after a fail-over the server before counts no more.
    const used = pools.filter(({ address, totalConnectionCount }) => this.#addresses.has(address) && totalConnectionCount > 0)
    return this.#gauges(pools, pools.length === 0 ? this.#addresses.size : used.length)
  }

  #gauges (pools: ServerPool[], servers: number): PoolGauges {
    const { maxPoolSize = 100 } = this.#client.options
    const max = maxPoolSize === 0 ? Infinity : maxPoolSize * Math.max(1, servers)
    // Of a driver in which they cannot be found, what its events have told.
    if (pools.length === 0) return { size: this.#open.size, idle: Math.max(0, this.#open.size - this.holds.size), waiting: this.#askers.size, max }
    const sum = (count: 'totalConnectionCount' | 'availableConnectionCount' | 'waitQueueSize'): number => pools.reduce((total, pool) => total + pool[count], 0)
    // Of the queue some may have given up, of the askers some may have their connections opened.
    const waiting = Math.min(sum('waitQueueSize'), this.#askers.size)
    return { size: sum('totalConnectionCount'), idle: sum('availableConnectionCount'), waiting, max }
  }

  protected isLeak (): boolean {
    return false
  }

  protected waitingSince (): Iterable<number> {
    return this.#askers.waitingSince()
  }

  /** Of the server that was asked last: what the others have is of no use to who asks it. */
  override predictedWait (): number {
    this.#forgetThoseWhoLeft()
    const pools = this.#serverPools()
    const asked = pools.filter(({ address }) => address === this.#askedLast)
    return this.predictedFor(asked.length > 0 ? this.#gauges(asked, 1) : this.gauges())
  }

  protected async probe (): Promise<void> {
    // Not only given up: a ping that waits for a server would wait on, and so would the next one.
    const abort = new AbortController()
    let timer: NodeJS.Timeout | undefined
    try {
      const late = new Promise<never>((_resolve, reject) => {
        const giveUp = (): void => {
          // Where nobody waits for a connection, the ping has one, and it is the server that says nothing.
          if (this.gauges().waiting === 0) this.readiness.away()
          reject(new BusyError(`the pool ${this.name}`))
          abort.abort()
        }
        // After the event loop was blocked the answer may lie in the socket, unread: it is read before the next immediate.
        timer = setTimeout(() => { setImmediate(giveUp) }, PROMPT).unref()
      })
      // For all who ask, and not by the deadline of the first one's route.
      const ping = inContext(undefined, () => this.#client.db('admin').command({ ping: 1 }, { signal: abort.signal }))
      await Promise.race([ping, late])
    } catch (error) {
      if (isAwayError(error)) this.readiness.away()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** What the pools had and did before the watch began. */
  #takeOver (): void {
    const since = this.settings.now()
    for (const { address, connections, checkedOut, waitQueue } of this.#serverPools()) {
      for (const { id } of connections) this.#opened(idOf({ address, connectionId: id }))
      for (const { id } of checkedOut) {
        this.#addresses.add(address)
        this.counters.asked++
        const connection = idOf({ address, connectionId: id })
        this.#opened(connection)
        this.#held.set(connection, this.#begin())
      }
      for (const place of waitQueue) {
        if (place.cancelled) continue
        this.#addresses.add(address)
        this.counters.asked++
        this.#askers.takeOver({ address, since, wait: this.waitFrom(since, true), asked: NOBODY }, place)
      }
    }
  }

  /** Still in the context of the request that asks. */
  #asks ({ address }: PoolEvent, below: (event: PoolEvent) => void): void {
    this.counters.asked++
    this.#addresses.add(address)
    const pools = this.#serverPools()
    const { size, idle, waiting, max } = this.#gauges(pools.filter((pool) => pool.address === address), 1)
    const since = this.settings.now()
    const wait = idle > waiting ? undefined : this.waitFrom(since, idle + max - size <= waiting)
    this.#askedLast = address
    const stack = this.#operations++ % SAMPLE === 0 ? captureStack(below, FRAMES) : undefined
    const asked = { stack, context: currentContext(), sql: undefined }
    if (this.#askers.add({ address, since, wait, asked })) queueMicrotask(this.#arrive)
  }

  #arrived (): void {
    const deadlineOf = ({ wait, asked }: Asker): number | undefined => wait === undefined ? undefined : this.settings.deadlineOf(asked.context)
    this.#askers.arrived(this.#serverPools(), deadlineOf, ({ wait, asked }) => this.expiry(wait!, asked.context))
  }

  #begin (): Hold {
    const hold = this.begun()
    this.counted(hold)
    return hold
  }

  #has (event: PoolEvent): void {
    const id = idOf(event)
    this.#opened(id)
    const asker = this.#askerOf(event, false)
    const hold = this.#begin()
    this.#held.set(id, hold)
    const request = asker.asked.context?.request
    if (request !== undefined) hasConnection(request)
    hold.asked = asker.asked
    this.waited(Math.max(0, hold.since - asker.since), asker.wait)
  }

  #failed (event: PoolEvent): void {
    const isTimeout = event.reason === 'timeout'
    const asker = this.#askerOf(isTimeout ? event : { ...event, connectionId: this.#notOpened }, isTimeout)
    if (!isTimeout) this.#notOpened = undefined
    if (isTimeout) {
      // All connections were in use, which says nothing of the server.
      this.counters.timeouts++
      if (asker.wait !== undefined) this.waited(this.settings.now() - asker.since, asker.wait)
      return
    }
    this.counters.failed++
    if (isAwayError(event.error)) this.readiness.away()
  }

  #opened (id: string): void {
    if (this.#open.has(id)) return
    this.#open.add(id)
    this.counters.opened++
  }

  #closed (event: PoolEvent): void {
    const id = idOf(event)
    if (!this.#open.delete(id)) {
      this.#notOpened = event.connectionId
      return
    }
    this.counters.closed++
    if (event.reason !== 'error') return
    // Whoever had it knows.
    if (id === this.#returning) this.#returning = undefined
    else this.counters.errors++
  }

  #isBack (): void {
    if (this.#returning === undefined) return
    this.#returning = undefined
    if (this.#hasServer) this.readiness.answered(this.settings.now())
  }

  #askerOf (event: PoolEvent, isCancelled: boolean): Asker {
    const asker = this.#askers.take(event, isCancelled)
    if (asker !== undefined) return asker
    const { address, durationMS = 0 } = event
    this.counters.asked++
    return { address, since: this.settings.now() - durationMS, wait: undefined, asked: NOBODY }
  }

  #forgetThoseWhoLeft (): void {
    this.counters.failed += this.#askers.forgetThoseWhoLeft()
  }

  get #topology (): Topology | undefined {
    return this.#client.topology as Topology | undefined
  }

  #serverPools (): ServerPool[] {
    const servers = this.#topology?.s?.servers
    if (!(servers instanceof Map)) return []
    const pools: ServerPool[] = []
    for (const { pool } of servers.values() as Iterable<{ pool?: ServerPool }>) if (isServerPool(pool)) pools.push(pool)
    return pools
  }

  /** What a listener throws, or a clock or a log of the host that it calls, the driver would fail somebody's operation with. */
  #safely<Event> (listener: (event: Event) => void): (event: Event) => void {
    return (event) => {
      try {
        listener(event)
      } catch (error) {
        if (this.#hasFailed) return
        this.#hasFailed = true
        process.emitWarning(`pool-health: the watch of pool ${this.name} failed, and its figures are not right any more: ${String(error)}`)
      }
    }
  }
}

function hasServer (description: TopologyDescription | undefined): boolean {
  return description === undefined || [...description.servers.values()].some(({ type }) => type !== 'Unknown')
}

function idOf ({ address, connectionId }: Pick<PoolEvent, 'address' | 'connectionId'>): string {
  return `${address}#${connectionId}`
}
