/** Of a message of the database: its type, and its length, which counts itself (PostgreSQL documentation, "Message Formats"). */
const HEADER = 5
const LENGTH = 4

const READY_FOR_QUERY = 90

const COMMA = 44
const CARRIAGE_RETURN = 13
const LINE_FEED = 10

/** Bytes that are put around a line, at most. */
const AROUND = 3

/** How lines stand in the messages of the database, and in what is sent. */
export interface LineShape {
  /** The type of the message that comes before the first of them. What looks like a line before that is none. */
  readonly opening: number
  /** The type of the messages of which each holds one. */
  readonly message: number
  /** Bytes of such a message in front of its line. */
  readonly before: number
  /** Bytes behind it. */
  readonly after: number
  /** Whether there is a comma between two lines. */
  readonly comma: boolean
  /** Whether a line ends in CR LF, or in LF. */
  readonly carriageReturn: boolean
}

export interface CutEvents {
  /** Lines, or a part of one. */
  lines (bytes: Buffer): void
  /** What the database says besides, or a part of it. */
  other (bytes: Buffer): void
  /** It is ready for the next query, as it says here. What is cut no more, because it belongs to nothing that was asked. */
  ready (bytes: Buffer): void
}

/**
 * Cuts lines out of what the database sends, however it comes in pieces: of each message the line is moved to where the one before it
 * has ended, and becomes neither a string nor an object. A line that is longer than a piece goes on before it has come.
 */
export class LineCutter {
  readonly #shape: LineShape
  readonly #events: CutEvents
  /** The beginning of a message, too little of it to be understood. */
  #beginning: Buffer = Buffer.alloc(0)
  #isOpen = false
  /** Bytes that are still to come, of a line, and of the message behind that. */
  #line = 0
  #after = 0
  /** And of another message. */
  #other = 0
  rows = 0

  constructor (shape: LineShape, events: CutEvents) {
    this.#shape = shape
    this.#events = events
  }

  /** @param piece what the database has sent; is left as it is */
  cut (piece: Buffer): void {
    // What is put around a line that began before has its place in front.
    const from = AROUND + this.#beginning.length
    const bytes = Buffer.allocUnsafe(from + piece.length)
    bytes.set(this.#beginning, AROUND)
    bytes.set(piece, from)
    this.#cut(bytes, AROUND)
  }

  #cut (bytes: Buffer, from: number): void {
    const end = bytes.length
    let read = from
    // What stands from here on until `write` was not handed over yet.
    let start = 0
    let write = 0
    this.#beginning = bytes.subarray(0, 0)
    while (read < end) {
      if (this.#line > 0) {
        const to = Math.min(end, read + this.#line)
        bytes.copyWithin(write, read, to)
        write += to - read
        this.#line -= to - read
        read = to
        if (this.#line === 0) write = this.#endLine(bytes, write)
      } else if (this.#after > 0) {
        const to = Math.min(end, read + this.#after)
        this.#after -= to - read
        read = to
      } else if (this.#other > 0) {
        const to = Math.min(end, read + this.#other)
        this.#other -= to - read
        this.#handOver(bytes, start, write)
        this.#events.other(bytes.subarray(read, to))
        // Whoever it is for may keep it until all of it is there.
        read = start = write = to
      } else {
        const header = this.#isOpen ? HEADER + this.#shape.before : HEADER
        const type = bytes[read]!
        if (end - read < HEADER || (end - read < header && type === this.#shape.message)) {
          this.#beginning = bytes.subarray(read)
          break
        }
        if (type === READY_FOR_QUERY) {
          this.#handOver(bytes, start, write)
          this.#events.ready(bytes.subarray(read))
          return
        }
        const length = ((bytes[read + 1]! << 24) | (bytes[read + 2]! << 16) | (bytes[read + 3]! << 8) | bytes[read + 4]!) >>> 0
        const line = length - LENGTH - this.#shape.before - this.#shape.after
        if (this.#isOpen && type === this.#shape.message && line >= 0) {
          read += header
          this.#line = line
          this.#after = this.#shape.after
          if (this.#shape.comma && this.rows > 0) bytes[write++] = COMMA
          if (line === 0) write = this.#endLine(bytes, write)
        } else {
          this.#isOpen ||= type === this.#shape.opening
          // With its header.
          this.#other = HEADER - LENGTH + length
        }
      }
    }
    this.#handOver(bytes, start, write)
  }

  #handOver (bytes: Buffer, start: number, end: number): void {
    if (end > start) this.#events.lines(bytes.subarray(start, end))
  }

  /** Never beyond what was read: the header of each message is longer than what is put around its line. */
  #endLine (bytes: Buffer, write: number): number {
    this.rows++
    if (this.#shape.carriageReturn) bytes[write++] = CARRIAGE_RETURN
    bytes[write++] = LINE_FEED
    return write
  }
}
