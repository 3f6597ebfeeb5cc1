import type { Socket } from 'node:net'

/** What holds for one direction of all connections of a proxy. */
export interface Way {
  /** In milliseconds. */
  delay: number
  swallow: boolean
  /** How many bytes a new connection may pass. */
  cutAfter: number
  /** Bytes, over all connections. */
  passed: number
}

export function clearWay (): Way {
  return { delay: 0, swallow: false, cutAfter: Infinity, passed: 0 }
}

type Thing = Buffer | 'end' | 'reset'

/** More than this is not taken in, so that the sender feels that nobody reads, as it does on a network. */
const room = 1 << 20

/** Carries what one socket receives to another, in order: bytes, the end, and that the connection broke. */
export class OneWay {
  readonly #from: Socket
  readonly #to: Socket
  readonly #way: Way
  readonly #cut: () => void
  #waiting: Array<{ due: number, thing: Thing }> = []
  #held = 0
  #left: number
  #blocked = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined

  /** @param cut breaks the whole connection */
  constructor (from: Socket, to: Socket, way: Way, cut: () => void) {
    this.#from = from
    this.#to = to
    this.#way = way
    this.#left = way.cutAfter
    this.#cut = cut
    from.on('data', (data) => { this.#take(data) })
    from.on('end', () => { this.#take('end') })
    from.on('error', () => { this.#take('reset') })
    to.on('drain', () => {
      this.#blocked = false
      this.pump()
    })
    to.on('close', () => {
      this.#waiting = []
      this.#held = 0
      this.stop()
    })
  }

  get held (): number {
    return this.#held
  }

  cutAfter (bytes: number): void {
    this.#left = bytes
  }

  /** From now on nothing comes out. */
  stop (): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Lets out what may go; to be called when the way has changed. */
  pump (): void {
    clearTimeout(this.#timer)
    while (!this.#stopped && !this.#blocked && !this.#way.swallow && this.#waiting.length > 0) {
      const wait = this.#waiting[0]!.due - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => { this.pump() }, wait)
        break
      }
      this.#pass(this.#waiting.shift()!.thing)
    }
    if (this.#held < room) this.#from.resume()
  }

  #take (thing: Thing): void {
    if (this.#to.destroyed) return
    this.#waiting.push({ due: performance.now() + this.#way.delay, thing })
    if (typeof thing !== 'string') this.#held += thing.length
    if (this.#held >= room) this.#from.pause()
    this.pump()
  }

  #pass (thing: Thing): void {
    if (thing === 'end') this.#to.end()
    else if (thing === 'reset') this.#cut()
    else this.#write(thing)
  }

  #write (data: Buffer): void {
    const part = data.subarray(0, this.#left)
    this.#held -= data.length
    this.#left -= part.length
    this.#way.passed += part.length
    if (this.#left === 0) this.stop()
    // Not before the system has the bytes: a reset throws away what has not been sent.
    this.#blocked = !this.#to.write(part, this.#left === 0 ? this.#cut : undefined)
  }
}
