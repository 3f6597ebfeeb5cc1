import { mastersOf, type RedisClient, type RedisSubscriber } from './redis-client.js'

/** Milliseconds for a connection to be made and to subscribe: one that falls silent in its handshake would never end. */
const PATIENCE = 2_000

/** Milliseconds between two attempts: more with each that fails, up to the most. */
const DELAY = { step: 50, most: 1_000 }

export interface SubscriptionOptions {
  client: RedisClient
  channel: string
  onOpen: () => void
  onMessage: (text: string) => void
  /** Messages are missed from now on, until it is open again. */
  onClose: () => void
  /** Redis answered that it may not be. */
  onRefused: (error: unknown) => void
}

/**
 * A subscription over a connection of its own, made anew whenever that ends; of a Cluster to one of its masters, and then to
 * another one. Not left to the client: of a Cluster's it moves from node to node without a sign, and of both it can be stuck
 * for ever in a handshake that nobody answers.
 */
export class Subscription {
  readonly #options: SubscriptionOptions
  #connection: RedisSubscriber | undefined
  /** Of a Cluster, where it was last. */
  #node: unknown
  #attempts = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor (options: SubscriptionOptions) {
    this.#options = options
    this.#open()
  }

  /** It is of no use, whatever the connection says. */
  renew (): void {
    if (this.#connection !== undefined) this.#lose(this.#connection)
  }

  /** Ends at once, whether Redis answers or not. */
  close (): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#connection?.disconnect()
  }

  #open (): void {
    const connection = this.#newConnection()
    this.#connection = connection
    if (connection === undefined) return this.#openLater()
    this.#timer = setTimeout(() => { this.#lose(connection) }, PATIENCE).unref()
    // Without a listener it would print every failed attempt.
    connection.on('error', () => {})
    for (const event of ['close', 'end']) connection.on(event, () => { this.#lose(connection) })
    connection.on('message', (_channel: string, text: string) => { if (connection === this.#connection) this.#options.onMessage(text) })
    connection.on('ready', () => { void this.#subscribe(connection) })
    if (connection.status === 'ready') void this.#subscribe(connection)
    if (connection.status === 'wait') connection.connect().catch(() => {})
  }

  async #subscribe (connection: RedisSubscriber): Promise<void> {
    const { channel, onOpen, onRefused } = this.#options
    try {
      await connection.subscribe(channel)
    } catch (error) {
      if (connection === this.#connection && connection.status === 'ready') onRefused(error)
      return this.#lose(connection)
    }
    if (connection !== this.#connection || this.#closed) return
    clearTimeout(this.#timer)
    this.#attempts = 0
    onOpen()
  }

  #lose (connection: RedisSubscriber): void {
    if (connection !== this.#connection || this.#closed) return
    this.#connection = undefined
    clearTimeout(this.#timer)
    connection.disconnect()
    this.#options.onClose()
    this.#openLater()
  }

  #openLater (): void {
    this.#timer = setTimeout(() => { this.#open() }, Math.min(DELAY.step * ++this.#attempts, DELAY.most)).unref()
  }

  #newConnection (): RedisSubscriber | undefined {
    const { client } = this.#options
    // Subscribing and connecting again are ours: ioredis' own attempt rejects unheard when the connection ends before the answer.
    const options = { autoResubscribe: false, autoResendUnfulfilledCommands: false, retryStrategy: () => null }
    if (client.isCluster !== true) return client.duplicate(options)
    const nodes = mastersOf(client)
    const others = nodes.filter((node) => node !== this.#node)
    const choice = others.length > 0 ? others : nodes
    const node = choice[Math.floor(Math.random() * choice.length)]
    this.#node = node
    return node?.duplicate(options)
  }
}
