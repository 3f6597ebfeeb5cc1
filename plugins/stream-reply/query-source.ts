import { csvLine, withoutFormula } from './csv.js'
import { StatementError } from './errors.js'
import type { LineShape } from './line-cutter.js'
import { COPY, Lines, ROW } from './pg-lines.js'
import { PgLease, type LeaseOptions, type LeasePool } from './pg-lease.js'
import { Portal, type Fields } from './pg-portal.js'
import { parametersOf } from './pg-protocol.js'
import type { Column } from './pg-statement.js'
import { csvFrame, jsonFrame, rowEncoder, type Columns, type Row, type RowOptions } from './row-encoder.js'
import type { DatabaseSource, OpenSource } from './source.js'
import { copyCsv, jsonOf, rowsOf, withoutSemicolon } from './wrapped-sql.js'

export interface QueryOptions extends LeaseOptions, RowOptions {
  /** Rows that a cursor fetches at a time. */
  batch: number
}

export interface Query {
  text: string
  values: readonly unknown[]
}

/** Of the types of numbers, whose texts can begin with a minus: int8, int2, int4, float4, float8, numeric. */
const NUMBERS = new Set([20, 21, 23, 700, 701, 1700])

/** Begins a query whose rows are read as they are sent. */
export async function openQuery (pool: LeasePool, { text, values }: Query, options: QueryOptions): Promise<OpenSource> {
  if (text.includes('\0')) throw new StatementError('it has a NUL character')
  const lease = await PgLease.take(pool, options)
  try {
    const sql = withoutSemicolon(text)
    const columns = await lease.describe(sql)
    const started = new StartedQuery(lease, { text: sql, values }, columns, options)
    return { ...started.start(), close: async () => { await lease.end() } }
  } catch (error) {
    await lease.end()
    throw error
  }
}

type Started = Omit<OpenSource, 'close'>

/** Which way its rows go: the fewer hands, the better. */
class StartedQuery {
  readonly #lease: PgLease
  readonly #query: Query
  readonly #columns: readonly Column[]
  readonly #options: QueryOptions

  constructor (lease: PgLease, query: Query, columns: readonly Column[], options: QueryOptions) {
    this.#lease = lease
    this.#query = query
    this.#columns = columns
    this.#options = options
  }

  start (): Started {
    const { format, columns, serialize } = this.#options
    // What a schema leaves out, the database does not know.
    if (serialize !== undefined) return this.#values()
    if (format === 'csv') return this.#csv()
    return columns === undefined ? this.#json() : this.#values()
  }

  /** The database makes the JSON. */
  #json (): Started {
    const { format } = this.#options
    const frame = jsonFrame(format)
    const select = jsonOf(this.#query.text, this.#columns)
    return { source: this.#lines(select, { ...ROW, comma: format === 'json', carriageReturn: false }), frame, path: 'json' }
  }

  /** The database makes the fields. */
  #csv (): Started {
    const { columns: chosen, isGuarded } = this.#options
    const select = rowsOf(this.#query.text, this.#columns)
    const frame = csvFrame(chosen === undefined ? this.#names : [...chosen.values()], isGuarded)
    // COPY takes no parameters.
    if (this.#query.values.length === 0 && chosen === undefined && !isGuarded) return { source: this.#lines(copyCsv(select), { ...COPY, comma: false, carriageReturn: true }), frame, path: 'copy' }
    const indexes = chosen === undefined ? [...this.#columns.keys()] : indexesOf(chosen, this.#columns)
    const guarded = new Set(isGuarded ? indexes.filter((index) => !NUMBERS.has(this.#columns[index]!.type)) : [])
    const field = (text: string | null, index: number): string | null => text !== null && guarded.has(index) ? withoutFormula(text) : text
    return { source: this.#portal(select, (fields) => csvLine(indexes.map((index) => field(fields[index]!, index)))), frame, path: 'cursor' }
  }

  /** As the driver has them. */
  #values (): Started {
    const { columns: chosen } = this.#options
    if (chosen !== undefined) indexesOf(chosen, this.#columns)
    const { frame, encode } = rowEncoder(this.#options, this.#names)
    const rowOf = rowReader(this.#lease, this.#columns)
    return { source: this.#portal(rowsOf(this.#query.text, this.#columns), (fields, isFirst) => encode(rowOf(fields), isFirst)), frame, path: 'rows' }
  }

  get #names (): string[] {
    return this.#columns.map(({ name }) => name)
  }

  #lines (text: string, shape: LineShape): DatabaseSource {
    return this.#lease.run(new Lines(this.#lease.client.connection, { text, parameters: this.#parameters, shape }))
  }

  #portal (text: string, encode: (fields: Fields, isFirst: boolean) => string): DatabaseSource {
    return this.#lease.run(new Portal(this.#lease.client.connection, { text, parameters: this.#parameters, batch: this.#options.batch, encode }))
  }

  get #parameters (): unknown[] {
    return parametersOf(this.#lease.client, this.#query.values)
  }
}

/** A row as the driver would give it. */
function rowReader (lease: PgLease, columns: readonly Column[]): (fields: Fields) => Row {
  const parsers = columns.map(({ type }) => lease.client.getTypeParser(type, 'text'))
  const names = columns.map(({ name }) => name)
  // To set that is to set no property.
  const hasProto = names.includes('__proto__')
  return (fields) => {
    const row: Record<string, unknown> = {}
    for (let index = 0; index < names.length; index++) {
      const text = fields[index]!
      const value: unknown = text === null ? null : parsers[index]!(text)
      if (hasProto) Object.defineProperty(row, names[index]!, { value, enumerable: true, configurable: true, writable: true })
      else row[names[index]!] = value
    }
    return row
  }
}

/** Of a name that several have, the last one, as in a row of the driver. */
function indexesOf (chosen: Columns, columns: readonly Column[]): number[] {
  return [...chosen.keys()].map((name) => {
    const index = columns.findLastIndex((column) => column.name === name)
    if (index === -1) throw new StatementError(`it has no column ${JSON.stringify(name)}, of options.columns`)
    return index
  })
}
