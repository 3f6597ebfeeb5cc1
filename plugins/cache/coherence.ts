import { withDeadline } from '../shared/deadline.js'
import type { RedisClient, RedisSubscriber } from '../shared/redis-client.js'
import type { Message, Messages } from './messages.js'

/** Milliseconds between two questions whether the connection still lives. */
const HEARTBEAT = 1_000

export interface CoherenceOptions {
  client: RedisClient
  channel: string
  messages: Messages
  /** Another process said this. */
  onMessage: (message: Message) => void
  /** Messages may have been missed: nothing kept before now can be trusted. */
  onGap: () => void
  /** Redis refused the subscription. */
  onDeaf: (error: unknown) => void
}

/** Hears, over a connection of its own, what other processes wrote, deleted or invalidated. */
export class Coherence {
  readonly #options: CoherenceOptions
  readonly #subscriber: RedisSubscriber
  readonly #heartbeat: NodeJS.Timeout
  #listening = false

  constructor (options: CoherenceOptions) {
    this.#options = options
    const subscriber = duplicateOf(options.client)
    this.#subscriber = subscriber
    // The client reconnects by itself; without a listener it would print every failed attempt.
    subscriber.on('error', () => {})
    subscriber.on('close', () => { this.#listening = false })
    subscriber.on('message', (_channel: string, message: string) => this.#receive(message))
    subscriber.on('ready', () => { void this.#subscribe() })
    if (subscriber.status === 'ready') void this.#subscribe()
    if (subscriber.status === 'wait') subscriber.connect().catch(() => {})
    this.#heartbeat = setInterval(() => { void this.#beat() }, HEARTBEAT).unref()
  }

  /** Whether every message since the last gap has been heard. */
  get listening (): boolean {
    return this.#listening
  }

  /** Ends at once, whether Redis answers or not. */
  close (): void {
    this.#listening = false
    clearInterval(this.#heartbeat)
    this.#subscriber.disconnect()
  }

  /** An answer on this connection comes after every message sent before it: without one, messages may be missing. */
  async #beat (): Promise<void> {
    if (!this.#listening) return
    try {
      await withDeadline(this.#subscriber.ping(), HEARTBEAT)
    } catch {
      if (this.#listening) this.#subscriber.disconnect(true)
      this.#listening = false
    }
  }

  async #subscribe (): Promise<void> {
    try {
      await this.#subscriber.subscribe(this.#options.channel)
    } catch (error) {
      // Where the connection broke again, `ready` comes once more.
      if (this.#subscriber.status === 'ready') this.#options.onDeaf(error)
      return
    }
    this.#options.onGap()
    this.#listening = true
  }

  #receive (text: string): void {
    const message = this.#options.messages.read(text)
    if (message !== undefined) this.#options.onMessage(message)
  }
}

function duplicateOf (client: RedisClient): RedisSubscriber {
  if (client.isCluster === true) return client.duplicate()
  // Subscribing is ours: ioredis' own attempt rejects unheard when the connection ends again before Redis answers.
  return client.duplicate({ autoResubscribe: false, autoResendUnfulfilledCommands: false, retryStrategy: (attempt: number) => Math.min(50 * attempt, 1_000) })
}
