import type { Frame } from './row-encoder.js'

/** Where the bytes of a reply come from. */
export interface Source {
  /** The next ones; undefined: there are no more. One call at a time. */
  read (): Promise<string | Uint8Array | undefined>
  /** Rows that it has had. */
  readonly rows: number
}

export interface DatabaseSource extends Source {
  /** Whether the database is at work on it now. */
  readonly isRunning: boolean
  /** Nobody reads on. Of what comes still, nothing is kept. */
  stop (): void
}

/**
 * How a reply came to be: of lines of JSON that the database made; of lines of CSV, by COPY; by a cursor, of the fields as texts of the
 * database; by a cursor whose rows become values; of rows from elsewhere.
 */
export type Path = 'json' | 'copy' | 'cursor' | 'rows' | 'iterable'

export interface OpenSource {
  readonly source: Source
  readonly frame: Frame
  readonly path: Path
  /** Ends what runs and gives back what was taken. Never rejects. */
  close (): Promise<void>
}
