import { isConnected, mastersOf, type RedisClient } from '../shared/redis-client.js'
import { Subscription } from '../shared/subscription.js'
import { Hearing, PATIENCE } from './hearing.js'
import type { Messages, News } from './messages.js'

/** Milliseconds between two signs of life: of this process for the others, and of its subscription for itself. */
const BEAT = 250

/** Milliseconds by which what is heard may be late: then, with the next beat, the subscription is not trusted, within a second. */
const LATEST = 600

/** Of one's own beats so many in a row, two seconds, that are not heard in time, and the subscription is made anew. */
const MOST_UNHEARD = 8

/** Signs of life that a server may leave unanswered: to one that hangs no more are sent. */
const MOST_UNSAID = 40

/** Milliseconds after which an answer is not to be expected: clients can drop a command without a word. */
const UNANSWERED = 10_000

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

type Publisher = Pick<RedisClient, 'publish'>

/**
 * Hears what other processes wrote, deleted or invalidated; and knows when it may not have: by the numbers of their messages,
 * and by its own beats, that it hears in time as long as the whole way through Redis is sound.
 */
export class Coherence {
  readonly #options: CoherenceOptions
  readonly #subscription: Subscription
  readonly #hearing = new Hearing()
  readonly #heart: NodeJS.Timeout
  readonly #unsaid = new WeakMap<Publisher, { count: number, since: number }>()
  #late: NodeJS.Timeout | undefined
  #listening = false
  #closed = false
  /** When the latest of one's own beats that was heard was said. Monotonic, milliseconds. */
  #heardOneself = -Infinity
  /** Until when, by the wall clock, that is not too long ago. Forgotten with each beat: that clock can be set. */
  #soundUntil = -Infinity
  /** Beats since one was heard. Not the time: in that of a blocked event loop none is said. */
  #unheard = 0

  constructor (options: CoherenceOptions) {
    this.#options = options
    const { client, channel, messages, onDeaf } = options
    this.#subscription = new Subscription({
      client,
      channel,
      onOpen: () => { this.#say(messages.ofBeat()) },
      onMessage: (text) => { this.#receive(text) },
      onClose: () => { this.#stopListening() },
      onRefused: onDeaf
    })
    this.#heart = setInterval(() => {
      this.#soundUntil = -Infinity
      // After the event loop was blocked, what was said meanwhile lies in the socket: it is read before the next immediate.
      setImmediate(() => { this.#beat() })
    }, BEAT).unref()
  }

  /** Whether every message since the last gap has been heard. Not while the event loop was blocked: what has come meanwhile is not read yet. */
  get listening (): boolean {
    return this.#listening && this.#leftOfTrust() > 0
  }

  /**
   * As `listening`, for each hit in memory, of which a look at another clock would be a third.
   *
   * @param now what the wall clock says just now, milliseconds
   */
  listensAt (now: number): boolean {
    if (!this.#listening || now < this.#soundUntil) return this.#listening
    const left = this.#leftOfTrust()
    this.#soundUntil = now + left
    return left > 0
  }

  /** Ends at once, whether Redis answers or not. */
  close (): void {
    if (this.#listening) this.#say(this.#options.messages.ofLeave())
    this.#closed = true
    this.#listening = false
    clearInterval(this.#heart)
    clearTimeout(this.#late)
    this.#subscription.close()
  }

  #beat (): void {
    if (this.#closed) return
    const now = performance.now()
    if (this.#leftOfTrust() <= 0) this.#stopListening()
    if (!this.#listening && ++this.#unheard === MOST_UNHEARD) {
      this.#unheard = 0
      this.#subscription.renew()
    }
    this.#say(this.#options.messages.ofBeat())
    this.#check(now)
  }

  /** In Cluster through each master: one of them that hangs must not look like silence. */
  #say (text: string): void {
    const { client } = this.#options
    if (!isConnected(client)) return
    for (const master of mastersOf(client)) this.#sayThrough(master, text)
  }

  #sayThrough (publisher: Publisher, text: string): void {
    const now = performance.now()
    const unsaid = this.#unsaid.get(publisher) ?? { count: 0, since: now }
    if (unsaid.count >= MOST_UNSAID && now - unsaid.since < UNANSWERED) return
    if (unsaid.count === 0 || unsaid.count >= MOST_UNSAID) this.#unsaid.set(publisher, { count: 1, since: now })
    else unsaid.count++
    // What could not be said is not heard: that tells.
    publisher.publish(this.#options.channel, text).catch(() => {}).finally(() => {
      const current = this.#unsaid.get(publisher)!
      if (current.count > 0) current.count--
    })
  }

  #receive (text: string): void {
    const now = performance.now()
    const message = this.#options.messages.read(text)
    // Perhaps of a later version of ours, that says what must not be missed.
    if (message === undefined) return this.#options.onGap()
    const { isOwn, news } = message
    if (isOwn) {
      if (news.kind === 'beat') this.#heardMyself(news.said, now)
      return
    }
    const missed = news.kind === 'leave' ? this.#hearing.leave(message, now) : this.#hearing.hear(message, now)
    if (missed) this.#options.onGap()
    this.#options.onNews(news)
    if (this.#hearing.waits) this.#checkLater()
  }

  /** Milliseconds for which one's own last beat that was heard is not too long ago. */
  #leftOfTrust (): number {
    return this.#heardOneself + LATEST - performance.now()
  }

  #stopListening (): void {
    if (!this.#listening) return
    this.#listening = false
    this.#options.onSilence()
  }

  #heardMyself (said: number, now: number): void {
    // One that comes late shows that all else does too.
    if (now - said > LATEST || this.#closed) return
    this.#heardOneself = Math.max(this.#heardOneself, said)
    this.#unheard = 0
    if (this.#listening) return
    this.#hearing.begin(now)
    this.#options.onGap()
    this.#listening = true
  }

  #checkLater (): void {
    this.#late ??= setTimeout(() => {
      setImmediate(() => {
        this.#late = undefined
        if (this.#closed) return
        this.#check(performance.now())
        if (this.#hearing.waits) this.#checkLater()
      })
    }, PATIENCE).unref()
  }

  #check (now: number): void {
    if (this.#hearing.misses(now)) this.#options.onGap()
  }
}
