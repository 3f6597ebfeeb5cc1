import { withResolvers } from '../shared/with-resolvers.js'

/** Bytes that wait for their reader, beyond which whoever brings them is asked to pause. */
const HIGH = 262_144
const LOW = 65_536

/** How what comes is paused, and goes on. */
export interface Flow {
  pause (): unknown
  resume (): unknown
}

/** Between who brings pieces as they come and who asks for them one by one. */
export class Chunks<Chunk extends { readonly length: number }> {
  readonly #flow: Flow
  readonly #waiting: Chunk[] = []
  #length = 0
  #isPaused = false
  #isEnded = false
  #error: Error | undefined
  #reader: { resolve (chunk: Chunk | undefined): void, reject (error: Error): void } | undefined

  constructor (flow: Flow) {
    this.#flow = flow
  }

  /** Whether nothing that comes is taken any more. */
  get isOver (): boolean {
    return this.#isEnded
  }

  /** Whether there is little enough of it that more may be fetched. */
  get isLow (): boolean {
    return this.#length <= LOW
  }

  push (chunk: Chunk): void {
    if (this.#isEnded) return
    if (this.#reader !== undefined) {
      this.#reader.resolve(chunk)
      this.#reader = undefined
      return
    }
    this.#waiting.push(chunk)
    this.#length += chunk.length
    if (this.#length <= HIGH || this.#isPaused) return
    this.#isPaused = true
    this.#flow.pause()
  }

  /** There will be no more. What has come before is read first, also before an error. */
  end (error?: Error): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#error = error
    this.#resume()
    if (this.#reader === undefined) return
    if (error === undefined) this.#reader.resolve(undefined)
    else this.#reader.reject(error)
    this.#reader = undefined
  }

  /** What waits is of no use any more, nor what comes. */
  discard (): void {
    this.#waiting.length = 0
    this.#length = 0
    this.end()
  }

  async read (): Promise<Chunk | undefined> {
    const chunk = this.#waiting.shift()
    if (chunk !== undefined) {
      this.#length -= chunk.length
      if (this.isLow) this.#resume()
      return chunk
    }
    if (this.#error !== undefined) throw this.#error
    if (this.#isEnded) return undefined
    const { promise, resolve, reject } = withResolvers<Chunk | undefined>()
    this.#reader = { resolve, reject }
    return await promise
  }

  #resume (): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#flow.resume()
  }
}
