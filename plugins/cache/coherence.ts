import { randomUUID } from 'node:crypto'
import type { RedisClient, RedisSubscriber } from '../shared/redis-client.js'

export interface CoherenceOptions {
  client: RedisClient
  channel: string
  /** Another process wrote or deleted this key. */
  onInvalidate: (key: string) => void
  /** Messages may have been missed: nothing kept before now can be trusted. */
  onGap: () => void
}

/** Hears, over a connection of its own, which keys other processes wrote or deleted. */
export class Coherence {
  readonly #origin = randomUUID()
  readonly #options: CoherenceOptions
  readonly #subscriber: RedisSubscriber
  #listening = false

  constructor (options: CoherenceOptions) {
    this.#options = options
    const subscriber = options.client.duplicate()
    this.#subscriber = subscriber
    // The client reconnects by itself; without a listener it would print every failed attempt.
    subscriber.on('error', () => {})
    subscriber.on('close', () => { this.#listening = false })
    subscriber.on('message', (_channel: string, message: string) => this.#receive(message))
    subscriber.on('ready', () => { void this.#subscribe() })
    if (subscriber.status === 'ready') void this.#subscribe()
    if (subscriber.status === 'wait') subscriber.connect().catch(() => {})
  }

  /** Whether every message since the last gap has been heard. */
  get listening (): boolean {
    return this.#listening
  }

  /** What tells the other processes about `key`. JSON, because a key may hold any character. */
  messageFor (key: string): string {
    return JSON.stringify([this.#origin, key])
  }

  /** Ends at once, whether Redis answers or not. */
  close (): void {
    this.#listening = false
    this.#subscriber.disconnect()
  }

  async #subscribe (): Promise<void> {
    try {
      await this.#subscriber.subscribe(this.#options.channel)
    } catch {
      return // The connection broke again; `ready` comes once more.
    }
    this.#options.onGap()
    this.#listening = true
  }

  #receive (message: string): void {
    const parsed = parse(message)
    if (parsed !== undefined && parsed.origin !== this.#origin) this.#options.onInvalidate(parsed.key)
  }
}

function parse (message: string): { origin: string, key: string } | undefined {
  try {
    const [origin, key] = JSON.parse(message) as unknown[]
    return typeof origin === 'string' && typeof key === 'string' ? { origin, key } : undefined
  } catch {
    return undefined
  }
}
