import { Chunks } from './chunks.js'
import { Called, type Connection, type Submittable } from './pg-protocol.js'
import type { DatabaseSource } from './source.js'

/** Bytes that are put together in one chunk: what the database sends in one go. */
const CHUNK = 65_536

const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const COMMA = 44

export interface CopyLines {
  /** Whether there is one between two lines. */
  readonly comma: boolean
  /** Whether there is one before each line feed. */
  readonly carriageReturn: boolean
}

/**
 * The lines of a COPY as they come from the database: bytes that never become rows. The database sends one line a message
 * (PostgreSQL documentation, "COPY Operations").
 */
export class CopyOut extends Called implements Submittable, DatabaseSource {
  readonly #text: string
  readonly #lines: CopyLines
  readonly #chunks: Chunks<Buffer>
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  #isTold = false
  isRunning = false
  rows = 0

  constructor (connection: Connection, text: string, lines: CopyLines) {
    super()
    this.#text = text
    this.#lines = lines
    this.#chunks = new Chunks(connection.stream)
  }

  submit (connection: Connection): void {
    this.isRunning = true
    connection.parse({ text: this.#text })
    connection.bind({})
    connection.execute({})
    connection.sync()
  }

  async read (): Promise<Buffer | undefined> {
    return await this.#chunks.read()
  }

  stop (): void {
    this.#chunks.discard()
  }

  handleCopyData ({ chunk: line }: { chunk: Buffer }): void {
    // With a comma before, and a carriage return.
    if (this.#end + line.length + 2 > this.#buffer.length) {
      this.#flush()
      this.#buffer = Buffer.allocUnsafe(Math.max(CHUNK, line.length + 2))
      this.#start = this.#end = 0
    }
    const buffer = this.#buffer
    let end = this.#end
    if (this.rows++ > 0 && this.#lines.comma) buffer[end++] = COMMA
    end += line.copy(buffer, end)
    if (this.#lines.carriageReturn) {
      buffer[end - 1] = CARRIAGE_RETURN
      buffer[end++] = LINE_FEED
    }
    this.#end = end
    if (this.#isTold) return
    this.#isTold = true
    // All that has come in one go is handed over by then.
    queueMicrotask(() => { this.#flush() })
  }

  handleCommandComplete (): void {
    this.#flush()
    this.isRunning = false
    this.#chunks.end()
  }

  handleReadyForQuery (): void {
    this.callback()
  }

  handleError (error: Error): void {
    this.callback()
    this.#flush()
    this.isRunning = false
    this.#chunks.end(error)
  }

  #flush (): void {
    this.#isTold = false
    if (this.#end === this.#start) return
    this.#chunks.push(this.#buffer.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
