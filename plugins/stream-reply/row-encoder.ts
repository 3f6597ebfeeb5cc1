import { describe } from '../shared/options.js'
import { csvLine, csvText, withoutFormula } from './csv.js'
import { RowError } from './errors.js'
import type { Format } from './formats.js'

/** By the names of its columns. */
export type Row = Readonly<Record<string, unknown>>

/** Which of a row's values are sent, in which order, and by which names in the header of a CSV. */
export type Columns = ReadonlyMap<string, string>

/** The route's own serialiser, of an array of rows. */
export type SerializeRows = (rows: readonly Row[]) => string

/** What stands before the first row, and behind the last one. */
export interface Frame {
  readonly head: string
  readonly tail: string
}

export interface RowOptions {
  format: Format
  /** None: all that there are. */
  columns: Columns | undefined
  /** Of a route with a response schema. */
  serialize: SerializeRows | undefined
  /** The columns that such a schema leaves, where that can be told. */
  shown: ReadonlySet<string> | undefined
  /** Whether a CSV is for a spreadsheet: what that would take for a formula is guarded. */
  isGuarded: boolean
}

export interface RowEncoder {
  readonly frame: Frame
  encode (row: Row, isFirst: boolean): string
}

/** The lines of JSON between the brackets of an array, or one below the other. */
function jsonLine (format: Format, line: string, isFirst: boolean): string {
  return isFirst || format === 'ndjson' ? `${line}\n` : `,${line}\n`
}

export function jsonFrame (format: Format): Frame {
  return format === 'json' ? { head: '[', tail: ']' } : { head: '', tail: '' }
}

export function csvFrame (titles: readonly string[], isGuarded: boolean): Frame {
  return { head: csvLine(isGuarded ? titles.map(withoutFormula) : titles), tail: '' }
}

/**
 * What becomes of rows as JavaScript has them: lines of JSON as JSON.stringify makes them, or the route's response schema, which
 * leaves out what it does not name; or of CSV.
 *
 * @param names of the columns, where they are known before the first row
 */
export function rowEncoder (options: RowOptions, names?: readonly string[]): RowEncoder {
  if (options.format === 'csv') return csvEncoder(options, names)
  const { format, columns, serialize } = options
  return {
    frame: jsonFrame(format),
    encode (row, isFirst) {
      const line = textOf(columns === undefined ? plain(row) : picked(plain(row), columns), serialize)
      return jsonLine(format, line, isFirst)
    }
  }
}

function csvEncoder ({ columns, serialize, shown, isGuarded }: RowOptions, names: readonly string[] | undefined): RowEncoder {
  if (columns === undefined && serialize !== undefined && shown === undefined) {
    throw new RowError('which columns the response schema of the route leaves cannot be told: give options.columns')
  }
  const known = names ?? (shown && [...shown])
  const given = columns ?? (known && titled(known.filter((name) => shown?.has(name) !== false)))
  let header = given
  return {
    frame: given === undefined ? { head: '', tail: '' } : csvFrame([...given.values()], isGuarded),
    encode (row, isFirst) {
      const visible = visibleOf(plain(row), serialize)
      header ??= titled(Object.keys(visible))
      if (columns === undefined) refuseOthers(visible, header)
      const line = csvLine([...header.keys()].map((name) => fieldOf(visible, name, isGuarded)))
      return isFirst && given === undefined ? csvFrame([...header.values()], isGuarded).head + line : line
    }
  }
}

/** What the response schema leaves; digits that JSON has, and JavaScript's numbers do not, as they were. */
function visibleOf (row: Row, serialize: SerializeRows | undefined): Row {
  if (serialize === undefined) return row
  const visible = JSON.parse(textOf(row, serialize)) as Record<string, unknown>
  for (const [name, value] of Object.entries(visible)) if (typeof value === 'number' && typeof row[name] === 'bigint') visible[name] = row[name]
  return visible
}

/** What a header lacks that nobody has chosen would be lost. */
function refuseOthers (row: Row, header: Columns): void {
  for (const name of Object.keys(row)) {
    if (!header.has(name) && row[name] !== undefined) throw new RowError(`a row has ${JSON.stringify(name)}, which the header of the CSV does not have: give options.columns`)
  }
}

/** As JSON has it: a document of Mongoose has its values behind getters. */
function plain (row: Row): Row {
  const made: unknown = typeof row?.toJSON === 'function' ? (row.toJSON as () => unknown)() : row
  if (typeof made !== 'object' || made === null) throw new RowError(`a row is ${describe(made)}: expected an object`)
  return made as Row
}

function fieldOf (row: Row, name: string, isGuarded: boolean): string | null {
  const value = Object.hasOwn(row, name) ? row[name] : undefined
  const text = csvText(value)
  return isGuarded && text !== null && typeof value !== 'number' && typeof value !== 'bigint' ? withoutFormula(text) : text
}

/** Only those that are chosen, in that order. */
function picked (row: Row, columns: Columns): Row {
  return Object.fromEntries([...columns.keys()].filter((name) => Object.hasOwn(row, name)).map((name) => [name, row[name]]))
}

/** By their own names. */
export function titled (names: readonly string[]): Columns {
  return new Map(names.map((name) => [name, name]))
}

function textOf (row: Row, serialize: SerializeRows | undefined): string {
  if (serialize === undefined) {
    const text = JSON.stringify(row) as string | undefined
    // What a row's toJSON gives may have one as well.
    if (text === undefined || !/^[{[]/.test(text)) throw new RowError('a row is no object in JSON')
    return text
  }
  const text = serialize([row])
  if (!text.startsWith('[') || !text.endsWith(']')) throw new RowError('the response schema of the route is not that of an array of rows')
  // A serialiser of one's own may write one row on several lines. Within texts JSON has no line breaks.
  return text.slice(1, -1).replaceAll(/[\r\n]/g, ' ')
}
