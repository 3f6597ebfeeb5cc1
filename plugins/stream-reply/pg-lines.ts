import { Chunks } from './chunks.js'
import { LineCutter, type LineShape } from './line-cutter.js'
import { PacedFlow } from './paced-flow.js'
import { Called, partOfQueryError, type Connection, type ConnectionStream, type DataListener, type Submittable } from './pg-protocol.js'
import type { DatabaseSource } from './source.js'

/** How COPY TO STDOUT sends lines: with their ends (PostgreSQL documentation, "COPY Operations": CopyOutResponse, CopyData). */
export const COPY = { opening: 72, message: 100, before: 0, after: 1 }

/**
 * How a row of one column comes: behind the number of columns, and its length ("Message Flow: Extended Query": BindComplete, DataRow).
 * Not by COPY: as text that doubles backslashes, and as CSV, whose quotes and separators JSON would have nowhere, it looks at each
 * byte, which takes the database half as long again as all the rest.
 */
export const ROW = { opening: 50, message: 68, before: 6, after: 0 }

/** What is asked of the database, and how its lines are sent. */
export interface LinesQuery {
  text: string
  /** As pg sends them. */
  parameters: readonly unknown[]
  shape: LineShape
}

/**
 * Lines as the database makes them: bytes that never become rows. pg's own parser, which makes an object of each, is not asked: as in
 * pg-copy-streams, what the database sends is read in its place until that is ready for the next query. All of it is asked for at
 * once, so that the database may work in parallel: what is not read yet holds it up.
 */
export class Lines extends Called implements Submittable, DatabaseSource {
  readonly #query: LinesQuery
  readonly #stream: ConnectionStream
  readonly #flow: PacedFlow
  readonly #chunks: Chunks<Buffer>
  readonly #cutter: LineCutter
  /** Those that it stands in for. */
  #readers: DataListener[] = []
  isRunning = false

  constructor ({ stream }: Connection, query: LinesQuery) {
    super()
    this.#query = query
    this.#stream = stream
    this.#flow = new PacedFlow(stream)
    this.#chunks = new Chunks(this.#flow)
    this.#cutter = new LineCutter(query.shape, {
      lines: (bytes) => { this.#chunks.push(bytes) },
      other: (bytes) => { this.#passOn(bytes) },
      ready: (bytes) => {
        // The next query begins before that returns.
        const readers = this.#giveBack()
        this.#passOn(bytes, readers)
      }
    })
  }

  get rows (): number {
    return this.#cutter.rows
  }

  submit (connection: Connection): void {
    this.isRunning = true
    this.#takeOver()
    connection.parse({ text: this.#query.text })
    // In binary the bytes of a text, or of JSON, are as they are, and the database copies them once less.
    connection.bind({ values: this.#query.parameters, binary: true })
    connection.execute({})
    connection.sync()
  }

  async read (): Promise<Buffer | undefined> {
    return await this.#chunks.read()
  }

  stop (): void {
    this.#chunks.discard()
  }

  handleCopyData (): void {
    this.#refuse()
  }

  handleDataRow (): void {
    this.#refuse()
  }

  handleCommandComplete (): void {
    this.isRunning = false
    this.#chunks.end()
  }

  handleReadyForQuery (): void {
    // Else it came unnoticed.
    if (this.#readers.length > 0) this.#stream.destroy()
    this.callback()
  }

  handleError (error: Error): void {
    this.callback()
    this.isRunning = false
    this.#chunks.end(partOfQueryError(error))
  }

  /** The parser has it where it is no line, or is not taken for one: of what comes on such a connection nothing can be relied on. */
  #refuse (): void {
    this.#chunks.end(new Error('the database sent what it was not asked for'))
    this.#stream.destroy()
  }

  /**
   * The parser has had all that was sent until now, and is between two messages: the database waits for what is asked of it. Where it is
   * in one still, which it does not tell, it finds in what is passed on what it should not see, and the connection is given up.
   */
  #takeOver (): void {
    this.#readers = this.#stream.rawListeners('data')
    this.#stream.on('data', this.#cut)
    for (const reader of this.#readers) this.#stream.off('data', reader)
  }

  #giveBack (): DataListener[] {
    const readers = this.#readers
    this.#readers = []
    for (const reader of readers) this.#stream.on('data', reader)
    this.#stream.off('data', this.#cut)
    this.#flow.wake()
    return readers
  }

  #passOn (bytes: Buffer, readers = this.#readers): void {
    for (const reader of readers) reader.call(this.#stream, bytes)
  }

  readonly #cut = (piece: Buffer): void => {
    this.#cutter.cut(piece)
    // Of what is left of it nobody waits for more than the end.
    if (this.isRunning && !this.#chunks.isOver) this.#flow.came(piece.length)
  }
}
