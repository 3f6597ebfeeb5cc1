import { LRUCache } from 'lru-cache'
import { Breaker } from './breaker.js'
import { atMost } from './lru-bound.js'
import { addressOf, mastersOf, type RedisClient } from './redis-client.js'
import { RedisClock } from './redis-clock.js'
import { slotOf } from './redis-slot.js'

/** What is known of a server: each node of a Cluster fails for itself, and has a clock of its own. */
export interface Server {
  readonly breaker: Breaker
  readonly clock: RedisClock
  /** One that it was last asked for, by which to ask it whether it is there. */
  key: string
}

export interface RedisServersOptions {
  client: RedisClient
  /** A monotonic clock, milliseconds. */
  now: () => number
  /** Asks a server that has failed whether it is there, in bounded time; rejects when not. */
  probe: (server: Server) => Promise<unknown>
  /** A server that had failed is there again. */
  onRecovery: () => void
}

/** Keys that the same servers answer for, by their places in a list. */
export interface Group {
  readonly server: Server
  readonly places: number[]
}

const FAILURES_TO_OPEN = 3
const PROBE_INTERVAL = 500

/** Far more nodes than a Cluster has; where pods come and go, so do addresses. */
const MOST = 4_000

/** The server behind a stand-alone client, or those behind a Cluster's. */
export class RedisServers {
  readonly #options: RedisServersOptions
  readonly #client: RedisClient
  readonly #only: Server | undefined
  readonly #byAddress = new LRUCache<string, Server>({ ...atMost(MOST), dispose: ({ breaker }) => { breaker.stop() } })

  constructor (options: RedisServersOptions) {
    this.#options = options
    this.#client = options.client
    if (this.#client.isCluster !== true) this.#only = this.#newServer()
  }

  /** None is asked whether it is there any more. */
  stop (): void {
    this.#only?.breaker.stop()
    this.#byAddress.clear()
  }

  /** Whether any of them answers, as far as is known. */
  get available (): boolean {
    if (this.#only !== undefined) return !this.#only.breaker.open
    const masters = mastersOf(this.#client)
    return masters.length === 0 || masters.some((node) => this.#byAddress.peek(addressOf(node))?.breaker.open !== true)
  }

  /** That which answers for a key. */
  of (key: string): Server {
    return this.#only ?? this.#at(this.#client.slots?.[slotOf(key)]?.[0] ?? '')
  }

  /** Those keys together that can be sent in one piece: of one master, and with it of the same replicas, as ioredis asks for. */
  groupsOf (keys: readonly string[]): Group[] {
    const groups = new Map<string, Group>()
    keys.forEach((key, place) => {
      const nodes = this.#client.slots?.[slotOf(key)] ?? []
      const name = nodes.join()
      const group = groups.get(name)
      if (group === undefined) groups.set(name, { server: this.#at(nodes[0] ?? ''), places: [place] })
      else group.places.push(place)
    })
    return [...groups.values()]
  }

  /** Another server has taken the place of one of them: what its clock says is to be learnt. */
  forgetClocks (): void {
    this.#only?.clock.forget()
    for (const { clock } of this.#byAddress.values()) clock.forget()
  }

  #at (address: string): Server {
    const known = this.#byAddress.get(address)
    if (known !== undefined) return known
    const server = this.#newServer()
    this.#byAddress.set(address, server)
    return server
  }

  #newServer (): Server {
    const { now, probe, onRecovery } = this.#options
    const breaker = new Breaker({ failures: FAILURES_TO_OPEN, probeInterval: PROBE_INTERVAL, probe: () => probe(server), onClose: onRecovery })
    const server: Server = { breaker, clock: new RedisClock(this.#client, now), key: '' }
    return server
  }
}
