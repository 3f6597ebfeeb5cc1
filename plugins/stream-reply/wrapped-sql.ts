import type { Column } from './pg-statement.js'

/**
 * What is put around a statement that the database has parsed alone and that returns rows: as a whole, on lines of its own, so that
 * a comment at its end ends there. Nothing of its values stands in it: those go beside it.
 *
 * Parsed alone it has its parentheses in pairs and its quotes and comments closed, so that the one before it and the one behind it
 * are a pair too: it cannot get out. What is no query cannot stand there at all (`INSERT … RETURNING`, `SHOW`), and is refused.
 */
function subquery (sql: string): string {
  return `(\n${sql}\n)`
}

/** Its rows as they are. */
export function rowsOf (sql: string, columns: readonly Column[]): string {
  const row = nameFor(columns)
  return `SELECT ${row}.* FROM ${subquery(sql)} AS ${row}`
}

/** Each row as one line of JSON, of keys in the order of the columns. */
export function jsonOf (sql: string, columns: readonly Column[]): string {
  const row = nameFor(columns)
  const json = `row_to_json(${row})`
  return `SELECT ${columns.every(isOneLine) ? json : oneLine(`${json}::text`)} FROM ${subquery(sql)} AS ${row}`
}

export function copyCsv (select: string): string {
  return `COPY (${select}) TO STDOUT (FORMAT csv)`
}

/** For a final semicolon nobody means to be refused. Where it belongs to a comment, nothing is lost. */
export function withoutSemicolon (sql: string): string {
  let end = sql.length
  while (end > 0 && /[\s;]/.test(sql[end - 1]!)) end--
  return sql.slice(0, end)
}

/** A column of the same name would be taken for the row. Short, however many there are: the database cuts a name after 63 bytes. */
function nameFor (columns: readonly Column[]): string {
  const names = new Set(columns.map(({ name }) => name))
  let name = 'headroom'
  for (let count = 1; names.has(name); count++) name = `headroom${count}`
  return name
}

/**
 * Built-in types of which row_to_json makes one line: numbers, texts, dates and such, whose line breaks are escaped. Of json, arrays of
 * it, and what may have it in it, it keeps the text as it was written.
 */
const ONE_LINE = new Set([
  16, 17, 18, 19, 20, 21, 23, 25, 26, 700, 701, 790, 869, 650, 829, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2950, 3802,
  1000, 1001, 1002, 1003, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1041, 1115, 1182, 1183, 1185, 1187, 1231, 2951, 3807
])

function isOneLine ({ type }: Column): boolean {
  return ONE_LINE.has(type)
}

/** Between its parts JSON may have line breaks, which are spaces as well; within its strings they are escaped. */
function oneLine (json: string): string {
  return `translate(${json}, E'\\r\\n', '  ')`
}
