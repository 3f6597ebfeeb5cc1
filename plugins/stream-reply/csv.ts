/** Between the lines (RFC 4180 §2.1). */
export const LINE_END = '\r\n'

/** What a spreadsheet takes for the beginning of a formula, in the wide letters of some keyboards too (OWASP, "CSV Injection"). */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/

/** In JavaScript too large a number is a text. */
const NUMBER = /^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i

const SPECIAL = /[",\r\n]/

/**
 * A field of CSV, as Postgres' COPY writes it (its documentation, "CSV Format"): null is nothing, an empty text is `""`, and
 * quotes are where they are needed.
 */
export function csvField (text: string | null): string {
  if (text === null) return ''
  return text === '' || SPECIAL.test(text) ? quoted(text) : text
}

/** One line. A single field `\.` would end the data for COPY, which quotes it. */
export function csvLine (fields: ReadonlyArray<string | null>): string {
  if (fields.length === 1 && fields[0] === '\\.') return `"\\."${LINE_END}`
  let line = ''
  for (let index = 0; index < fields.length; index++) {
    if (index > 0) line += ','
    line += csvField(fields[index]!)
  }
  return line + LINE_END
}

/** A text that a spreadsheet shows, and does not run: with an apostrophe before what it would take for a formula. A number is none. */
export function withoutFormula (text: string): string {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
}

/**
 * What JavaScript has, as a field: a Date by ISO 8601, bytes as Postgres writes them, what has parts as JSON; what JSON leaves out
 * is nothing. What is a text in JSON, such as an ObjectId, is that text.
 */
export function csvText (value: unknown): string | null {
  switch (typeof value) {
    case 'undefined':
    case 'function':
    case 'symbol': return null
    case 'string': return value
    case 'object':
      if (value === null) return null
      if (value instanceof Uint8Array) return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
      return textOfJson(JSON.stringify(value))
    default: return String(value)
  }
}

function textOfJson (json: string | undefined): string | null {
  if (json === undefined || json === 'null') return null
  return json.startsWith('"') ? JSON.parse(json) as string : json
}

function quoted (text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}
