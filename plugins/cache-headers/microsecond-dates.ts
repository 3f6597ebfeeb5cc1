/** A date that knows what a `Date` drops. */
export interface MicrosecondDate extends Date {
  /** Of the millisecond: from 0 to 999. */
  readonly microseconds: number
}

/** What `pg` takes as `types` of a query or a client. */
export interface TypeParsers {
  getTypeParser (oid: number, format?: string): (text: any) => unknown
}

/** `timestamp` and `timestamptz`. */
const TIMESTAMPS: readonly number[] = [1114, 1184]

/**
 * Postgres counts microseconds, and a `Date` milliseconds: of two updates in one millisecond the dates are the same. This keeps the
 * rest with the date, as its `microseconds`, where `version` finds it.
 *
 * ```ts
 * const { rows } = await pool.query({ text: 'SELECT … , updated_at FROM posts', types: microsecondDates(pg.types) })
 * ```
 *
 * @param types what parses everything else, `pg.types`
 */
export function microsecondDates (types: TypeParsers): TypeParsers {
  return {
    getTypeParser (oid, format) {
      const parse = types.getTypeParser(oid, format)
      // In the binary format a driver makes milliseconds of them before anybody can look.
      if (!TIMESTAMPS.includes(oid) || format === 'binary') return parse
      return (text: string) => withMicroseconds(parse(text), text)
    }
  }
}

function withMicroseconds (date: unknown, text: string): unknown {
  if (!(date instanceof Date)) return date
  const rest = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? ''
  return Object.defineProperty(date, 'microseconds', { value: Number(rest.padEnd(3, '0')) })
}
