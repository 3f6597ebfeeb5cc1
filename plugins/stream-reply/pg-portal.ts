import { Chunks } from './chunks.js'
import { Called, partOfQueryError, type Connection, type Submittable } from './pg-protocol.js'
import type { DatabaseSource } from './source.js'

/** The columns of a row, as texts of the database. */
export type Fields = ReadonlyArray<string | null>

/** How a row becomes what is sent. */
export type Encode = (fields: Fields, isFirst: boolean) => string

export interface PortalOptions {
  text: string
  /** As pg sends them. */
  parameters: readonly unknown[]
  /** Rows that are fetched at a time. */
  batch: number
  encode: Encode
}

/** The rows of a statement, fetched in batches (PostgreSQL documentation, "Message Flow: Extended Query", Execute). */
export class Portal extends Called implements Submittable, DatabaseSource {
  readonly #connection: Connection
  readonly #options: PortalOptions
  readonly #chunks: Chunks<string>
  #pending: Fields[] = []
  #isTold = false
  #isOver = false
  /** Whether the database is at work on it: between batches it is not. */
  isRunning = false
  rows = 0

  constructor (connection: Connection, options: PortalOptions) {
    super()
    this.#connection = connection
    this.#options = options
    this.#chunks = new Chunks(connection.stream)
  }

  submit (connection: Connection): void {
    connection.parse({ text: this.#options.text })
    connection.bind({ values: this.#options.parameters })
    this.#fetch()
  }

  async read (): Promise<string | undefined> {
    const chunk = this.#chunks.read()
    if (!this.isRunning && !this.#isOver && this.#chunks.isLow) this.#fetch()
    return await chunk
  }

  stop (): void {
    this.#chunks.discard()
    // Else it is when the database has answered.
    if (!this.isRunning) this.#finish()
  }

  handleDataRow ({ fields }: { fields: Fields }): void {
    this.#pending.push(fields)
    if (this.#isTold) return
    this.#isTold = true
    // All that has come in one go is there by then.
    queueMicrotask(() => { this.#flush() })
  }

  handlePortalSuspended (): void {
    this.isRunning = false
    this.#flush()
    if (this.#chunks.isOver) this.#finish()
    else if (this.#chunks.isLow) this.#fetch()
  }

  handleCommandComplete (): void {
    this.isRunning = false
    this.#flush()
    this.#finish()
    this.#chunks.end()
  }

  handleReadyForQuery (): void {
    this.callback()
  }

  handleError (error: Error): void {
    this.callback()
    this.isRunning = false
    this.#flush()
    this.#finish()
    this.#chunks.end(partOfQueryError(error))
  }

  #fetch (): void {
    this.isRunning = true
    this.#connection.execute({ rows: this.#options.batch })
    this.#connection.flush()
  }

  /** The database is ready for the next query, or for none where there was an error, only after a Sync. Of two, one would seem to be the answer to that query. */
  #finish (): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#connection.sync()
  }

  #flush (): void {
    this.#isTold = false
    const rows = this.#pending
    if (rows.length === 0) return
    this.#pending = []
    if (this.#chunks.isOver) return
    let chunk = ''
    try {
      for (const fields of rows) {
        chunk += this.#options.encode(fields, this.rows === 0)
        this.rows++
      }
      this.#chunks.push(chunk)
    } catch (error) {
      if (chunk !== '') this.#chunks.push(chunk)
      this.#chunks.end(error as Error)
    }
  }
}
