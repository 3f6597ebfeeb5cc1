import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import type { OpenSource } from './source.js'

/** Milliseconds that a client has to read why a reply breaks off. */
const LAST_WORDS = 1_000

/** Bytes that are kept ready for the client. */
const AHEAD = 65_536

export interface OutgoingEvents {
  /** So many bytes are there to be read. */
  offered (bytes: number): void
  /** The client has read so far that more is fetched. */
  asked (): void
  /** What stands in the place of what is missing: a last line that says so. */
  lastWords (error: Error): string | undefined
  /** It ended before its end: by an error, or because nobody reads it. */
  brokenOff (error: Error | null): void
  /** All of it has been read. */
  ended (): void
  /** Behind the last row. */
  ending (): string
}

/** What a reply is sent from: one chunk after another, no faster than it is read. */
export class Outgoing extends Readable {
  readonly #open: OpenSource
  readonly #events: OutgoingEvents
  /** What is there already. Offered when somebody reads, not before: a hook may keep that back. */
  readonly #ready: Array<string | Uint8Array>
  #isReading = false
  bytes = 0

  /** @param first what was read of it already; undefined: there is nothing */
  constructor (open: OpenSource, first: string | Uint8Array | undefined, events: OutgoingEvents) {
    super({ highWaterMark: AHEAD })
    this.#open = open
    this.#events = events
    this.#ready = first === undefined ? [open.frame.head] : [open.frame.head, first]
    // Until a hook that takes its time lets it be sent, nobody listens, and an error that nobody listens to ends the process.
    this.on('error', () => {})
  }

  /** Whether anybody has begun to read it: where a hook sends something else, nobody does. */
  get isRead (): boolean {
    return this.readableFlowing !== null
  }

  override _read (): void {
    if (this.#isReading) return
    this.#isReading = true
    void this.#readOn()
  }

  override _destroy (error: Error | null, callback: (error: Error | null) => void): void {
    void this.#open.close()
    if (this.readableEnded) this.#events.ended()
    else this.#events.brokenOff(error)
    callback(error)
  }

  async #readOn (): Promise<void> {
    try {
      let isTaken = true
      while (isTaken && !this.destroyed) {
        const chunk = await this.#next()
        if (this.destroyed) return
        if (chunk === undefined) {
          this.#offer(this.#events.ending() + this.#open.frame.tail)
          // Before the client has the end of it, the next request may want the connection.
          await this.#open.close()
          this.push(null)
          return
        }
        isTaken = this.#offer(chunk)
      }
      // Not after the end, nor after an error: while its last words are read, the source would be asked again.
      this.#isReading = false
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  async #next (): Promise<string | Uint8Array | undefined> {
    const ready = this.#ready.shift()
    if (ready !== undefined) return ready
    this.#events.asked()
    return await this.#open.source.read()
  }

  #offer (chunk: string | Uint8Array): boolean {
    if (chunk.length === 0) return true
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    this.bytes += bytes.length
    this.#events.offered(bytes.length)
    return this.push(bytes)
  }

  #fail (error: Error): void {
    const words = this.#events.lastWords(error)
    if (words === undefined || this.destroyed) {
      this.destroy(error)
      return
    }
    this.#offer(words)
    void this.#whenRead().then(() => { this.destroy(error) })
  }

  /** As far as can be seen from here: what is on its way is lost when the connection is reset. */
  async #whenRead (): Promise<void> {
    const until = performance.now() + LAST_WORDS
    do await setTimeout(10)
    while (this.readableLength > 0 && !this.destroyed && performance.now() < until)
  }
}
