import { currentContext } from '../shared/request-context.js'
import { captureStack } from './call-site.js'
import { isAwayError } from './driver-errors.js'
import { BusyError } from './errors.js'
import type { Asked, Hold } from './holds.js'
import type { MongoClient } from './mongo-client.js'
import { isServerPool, type Place, type ServerPool, type Topology, type TopologyDescription } from './mongo-server-pools.js'
import { PoolWatch, type PoolGauges, type Waiting, type WatchReports, type WatchSettings } from './pool-watch.js'
import { PROMPT } from './readiness.js'
import { hasConnection } from './unavailable.js'

/** Of the driver's events for pools (CMAP specification, "Connection Pool Monitoring"). */
interface PoolEvent {
  address: string
  connectionId?: number
  durationMS?: number
  reason?: string
  error?: unknown
}

interface Asker {
  readonly address: string
  /** It had its deadline, and its error. */
  isExpired: boolean
  timer: NodeJS.Timeout | undefined
  /** On the driver's clock. */
  asks: number
  place: Place | undefined
  /** On the clock of the watch, milliseconds. */
  readonly since: number
  readonly asked: Asked
  readonly wait: Waiting | undefined
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
  /** Who waits for a connection, in the order in which they asked; also who has given up, which the driver tells nobody. */
  #askers: Asker[] = []
  /** Of those, the ones that the driver is just about to put into its queue. */
  #arriving: Asker[] = []
  readonly #began = driversClock()
  #operations = 0
  #hasServer: boolean
  readonly #arrive: () => void
  /** The connection that is on its way back: one that broke is closed before it is there. */
  #returning: string | undefined
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
    if (pools.length === 0) return { size: this.#open.size, idle: Math.max(0, this.#open.size - this.holds.size), waiting: this.#askers.length, max }
    const sum = (count: 'totalConnectionCount' | 'availableConnectionCount' | 'waitQueueSize'): number => pools.reduce((total, pool) => total + pool[count], 0)
    // Of the queue some may have given up, of the askers some may have their connections opened.
    const waiting = Math.min(sum('waitQueueSize'), this.#askers.length)
    return { size: sum('totalConnectionCount'), idle: sum('availableConnectionCount'), waiting, max }
  }

  protected isLeak (): boolean {
    return false
  }

  protected * waitingSince (): Generator<number> {
    for (const { since, wait, place } of this.#askers) if (wait?.isFull === true && place?.cancelled !== true) yield since
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
      const ping = this.#client.db('admin').command({ ping: 1 }, { signal: abort.signal })
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
        this.#askers.push({ address, isExpired: false, timer: undefined, asks: place.checkoutTime, place, since, wait: this.waitFrom(since, true), asked: NOBODY })
      }
    }
  }

  /** Still in the context of the request that asks. */
  #asks ({ address }: PoolEvent, below: (event: PoolEvent) => void): void {
    const asks = driversClock()
    this.counters.asked++
    this.#addresses.add(address)
    const pools = this.#serverPools()
    const { size, idle, waiting, max } = this.#gauges(pools.filter((pool) => pool.address === address), 1)
    const since = this.settings.now()
    const wait = idle > waiting ? undefined : this.waitFrom(since, idle + max - size <= waiting)
    this.#askedLast = address
    const stack = this.#operations++ % SAMPLE === 0 ? captureStack(below, FRAMES) : undefined
    const asker: Asker = { address, isExpired: false, timer: undefined, asks, place: undefined, since, wait, asked: { stack, context: currentContext(), sql: undefined } }
    this.#askers.push(asker)
    if (this.#arriving.push(asker) === 1) queueMicrotask(this.#arrive)
  }

  /** The driver looks at its queue later: in a microtask, too. */
  #arrived (): void {
    const arrived = this.#arriving
    this.#arriving = []
    for (const { address, waitQueue } of this.#serverPools()) {
      const here = arrived.filter((asker) => asker.address === address)
      const places = here.length === 1 ? [waitQueue.last()] : here.length === 0 ? [] : [...waitQueue].slice(-here.length)
      for (const [index, asker] of here.entries()) {
        const place = places[index]
        if (place == null) continue
        asker.place = place
        asker.asks = place.checkoutTime
        this.#setDeadline(asker, place)
      }
    }
  }

  /** The driver passes over who is marked so, also where it has begun to open a connection for it. */
  #setDeadline (asker: Asker, place: Place): void {
    const { wait, asked: { context } } = asker
    const deadline = this.settings.deadlineOf(context)
    if (deadline === undefined || wait === undefined || typeof place.reject !== 'function') return
    const giveUp = this.#safely<void>(() => {
      if (place.cancelled || !this.#askers.includes(asker)) return
      place.cancelled = true
      asker.isExpired = true
      place.reject(this.expiry(wait, context))
      this.#forgetThoseWhoLeft()
    })
    // After the event loop was blocked the connection may be there, unread: it is read before the next immediate.
    asker.timer = setTimeout(() => { setImmediate(giveUp) }, deadline).unref()
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
    const asker = this.#askerOf(event, isTimeout)
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
    // Else it could not be opened, which who wanted it is told.
    if (!this.#open.delete(id)) return
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

  /**
   * The events do not say of whom they tell: it is who has waited for so long as they say.
   *
   * @param isCancelled whether its place in the queue must be, or must not
   */
  #askerOf ({ address, durationMS = 0 }: PoolEvent, isCancelled: boolean): Asker {
    const began = driversClock() - durationMS
    let nearest = -1
    let distance = Infinity
    for (const [index, asker] of this.#askers.entries()) {
      if (asker.asks > began + distance) break
      const off = Math.abs(asker.asks - began)
      if (asker.address !== address || off >= distance || (asker.place?.cancelled ?? isCancelled) !== isCancelled) continue
      nearest = index
      distance = off
    }
    // Before the watch began, a connection was being opened for it. The driver rounds, and so do we.
    const isUnknown = nearest === -1 || (began < this.#began && distance > 1)
    if (!isUnknown) {
      const [asker] = this.#askers.splice(nearest, 1)
      clearTimeout(asker!.timer)
      return asker!
    }
    this.counters.asked++
    return { address, isExpired: false, timer: undefined, asks: began, place: undefined, since: this.settings.now() - durationMS, wait: undefined, asked: NOBODY }
  }

  /** An operation whose signal aborts ends without an event. */
  #forgetThoseWhoLeft (): void {
    this.#askers = this.#askers.filter(({ place, timer, isExpired }) => {
      if (place?.cancelled !== true) return true
      clearTimeout(timer)
      if (!isExpired) this.counters.failed++
      return false
    })
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

const NOBODY: Asked = { stack: undefined, context: undefined, sql: undefined }

/** In whole milliseconds, as the driver has them. */
function driversClock (): number {
  return Math.floor(performance.now())
}

function hasServer (description: TopologyDescription | undefined): boolean {
  return description === undefined || [...description.servers.values()].some(({ type }) => type !== 'Unknown')
}

function idOf ({ address, connectionId }: Pick<PoolEvent, 'address' | 'connectionId'>): string {
  return `${address}#${connectionId}`
}
