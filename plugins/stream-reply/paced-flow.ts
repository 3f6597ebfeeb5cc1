import type { Flow } from './chunks.js'

/** Milliseconds: as short as a timer can be. */
const REST = 1

/** Bytes that Node reads of a socket at once. Where there were so many, there are more. */
const FULL = 65_536

/** A socket, or what stands for it. */
export interface PacedStream extends Flow {
  /** Of TLS: what comes is never more than a record. */
  readonly encrypted?: boolean
}

/**
 * What comes is read less often, and more of it at once. A database sends 8 KB at a time; to be woken for each of them costs its
 * reader twice the CPU time, and costs who reads from that as well.
 */
export class PacedFlow implements Flow {
  readonly #stream: PacedStream
  #isPaused = false
  #rest: NodeJS.Timeout | undefined

  constructor (stream: PacedStream) {
    this.#stream = stream
  }

  pause (): void {
    this.#isPaused = true
    this.#stream.pause()
  }

  resume (): void {
    this.#isPaused = false
    if (this.#rest === undefined) this.#stream.resume()
  }

  /** So many bytes have come. */
  came (bytes: number): void {
    if (bytes >= FULL || this.#rest !== undefined || this.#stream.encrypted === true) return
    this.#stream.pause()
    this.#rest = setTimeout(() => { this.wake() }, REST)
  }

  /** Rests no more. */
  wake (): void {
    clearTimeout(this.#rest)
    this.#rest = undefined
    if (!this.#isPaused) this.#stream.resume()
  }
}
