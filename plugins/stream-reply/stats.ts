import type { Format } from './formats.js'
import type { Path } from './source.js'

/** `complete`: all of it was sent; `left`: the client left before; `failed`: it broke off. */
export type Outcome = 'complete' | 'left' | 'failed'

/** The fields of the line that is written of each streamed reply, under `streamReply`. */
export interface StreamLine {
  method: string
  /** The route's pattern, never the URL. */
  route: string
  path: Path
  format: Format
  rows: number
  /** Before they were compressed. */
  bytes: number
  /** Milliseconds from the call to the last byte. */
  elapsed: number
  outcome: Outcome
}

export interface StreamReplyStats {
  /** Replies that are being sent. */
  running: number
  complete: number
  left: number
  failed: number
  rows: number
  bytes: number
  /** Replies by how they came to be. */
  paths: Record<Path, number>
}

/** Since the start. */
export class Stats {
  readonly #stats: StreamReplyStats = { running: 0, complete: 0, left: 0, failed: 0, rows: 0, bytes: 0, paths: { json: 0, copy: 0, cursor: 0, rows: 0, iterable: 0 } }

  get snapshot (): StreamReplyStats {
    return { ...this.#stats, paths: { ...this.#stats.paths } }
  }

  began (path: Path): void {
    this.#stats.running++
    this.#stats.paths[path]++
  }

  ended ({ outcome, rows, bytes }: StreamLine): void {
    this.#stats.running--
    this.#stats[outcome]++
    this.#stats.rows += rows
    this.#stats.bytes += bytes
  }
}
