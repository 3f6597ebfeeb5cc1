import { isConnected, type RedisClient, type RedisSubscriber } from '../shared/redis-client.js'
import { Hearing, PATIENCE } from './hearing.js'
import type { Messages, News } from './messages.js'

/** Milliseconds between two signs of life: of this process for the others, and of its subscription for itself. */
const BEAT = 250

/** Milliseconds without hearing one's own beat after which, with the next, the subscription is not trusted: within a second. */
const DEAF = 600

/** Milliseconds after which a subscription that is heard nothing of is made anew. */
const DEAD = 2_000

/** Signs of life that Redis may leave unanswered: to one that hangs no more are sent, but one of the nodes of a Cluster is not all of it. */
const MOST_UNSAID = 40

export interface CoherenceOptions {
  client: RedisClient
  channel: string
  messages: Messages
  /** Another process said this. */
  onNews: (news: News) => void
  /** Messages may have been missed: nothing kept before now can be trusted. */
  onGap: () => void
  /** From now on messages are missed. */
  onSilence: () => void
  /** Redis refused the subscription. */
  onDeaf: (error: unknown) => void
}

/**
 * Hears, over a connection of its own, what other processes wrote, deleted or invalidated; and knows when it may not have:
 * by the numbers of their messages, and by its own beats, that it hears as long as the whole way through Redis is sound.
 */
export class Coherence {
  readonly #options: CoherenceOptions
  readonly #subscriber: RedisSubscriber
  readonly #hearing = new Hearing()
  readonly #heart: NodeJS.Timeout
  #late: NodeJS.Timeout | undefined
  #listening = false
  /** Monotonic, milliseconds. */
  #heardOneself = -Infinity
  #renewed = performance.now()
  #unsaid = 0

  constructor (options: CoherenceOptions) {
    this.#options = options
    const subscriber = duplicateOf(options.client)
    this.#subscriber = subscriber
    // The client reconnects by itself; without a listener it would print every failed attempt.
    subscriber.on('error', () => {})
    subscriber.on('close', () => { this.#stopListening() })
    subscriber.on('message', (_channel: string, message: string) => { this.#receive(message) })
    subscriber.on('ready', () => { void this.#subscribe() })
    if (subscriber.status === 'ready') void this.#subscribe()
    if (subscriber.status === 'wait') subscriber.connect().catch(() => {})
    // After the event loop was blocked, what was said meanwhile lies in the socket: it is read before the next immediate.
    this.#heart = setInterval(() => { setImmediate(() => { this.#beat() }) }, BEAT).unref()
  }

  /** Whether every message since the last gap has been heard. */
  get listening (): boolean {
    return this.#listening
  }

  /** Ends at once, whether Redis answers or not. */
  close (): void {
    if (this.#listening) this.#say(this.#options.messages.ofLeave())
    this.#listening = false
    clearInterval(this.#heart)
    clearTimeout(this.#late)
    this.#subscriber.disconnect()
  }

  async #subscribe (): Promise<void> {
    const { channel, onDeaf } = this.#options
    try {
      await this.#subscriber.subscribe(channel)
    } catch (error) {
      // Where the connection broke again, `ready` comes once more.
      if (this.#subscriber.status === 'ready') onDeaf(error)
      return
    }
    this.#say(this.#options.messages.ofBeat())
  }

  #beat (): void {
    const now = performance.now()
    if (now - this.#heardOneself > DEAF) this.#stopListening()
    if (!this.#listening && now - Math.max(this.#heardOneself, this.#renewed) > DEAD && this.#subscriber.status === 'ready') {
      this.#renewed = now
      this.#subscriber.disconnect(true)
    }
    this.#say(this.#options.messages.ofBeat())
    this.#check(now)
  }

  #say (text: string): void {
    const { client, channel } = this.#options
    if (!isConnected(client) || this.#unsaid >= MOST_UNSAID) return
    this.#unsaid++
    // What could not be said is not heard: that tells.
    client.publish(channel, text).catch(() => {}).finally(() => { this.#unsaid-- })
  }

  #receive (text: string): void {
    const now = performance.now()
    const message = this.#options.messages.read(text)
    // Perhaps of a later version of ours, that says what must not be missed.
    if (message === undefined) return this.#options.onGap()
    const { isOwn, news, origin } = message
    if (isOwn) {
      if (news.kind === 'beat') this.#heardMyself(now)
      return
    }
    if (news.kind === 'leave') this.#hearing.leave(origin)
    else if (this.#hearing.hear(message, now)) this.#options.onGap()
    this.#options.onNews(news)
    if (this.#hearing.waits) this.#late ??= setTimeout(() => { setImmediate(() => { this.#lateCheck() }) }, PATIENCE).unref()
  }

  #stopListening (): void {
    if (!this.#listening) return
    this.#listening = false
    this.#options.onSilence()
  }

  #heardMyself (now: number): void {
    this.#heardOneself = now
    if (this.#listening) return
    this.#hearing.begin(now)
    this.#options.onGap()
    this.#listening = true
  }

  #lateCheck (): void {
    this.#late = undefined
    this.#check(performance.now())
    if (this.#hearing.waits) this.#late = setTimeout(() => { setImmediate(() => { this.#lateCheck() }) }, PATIENCE).unref()
  }

  #check (now: number): void {
    if (this.#hearing.misses(now)) this.#options.onGap()
  }
}

function duplicateOf (client: RedisClient): RedisSubscriber {
  if (client.isCluster === true) return client.duplicate()
  // Subscribing is ours: ioredis' own attempt rejects unheard when the connection ends again before Redis answers.
  return client.duplicate({ autoResubscribe: false, autoResendUnfulfilledCommands: false, retryStrategy: (attempt: number) => Math.min(50 * attempt, 1_000) })
}
