/** What is shown of a statement, at most. */
const LONGEST = 200

/** How much of a statement is read for that: what comes after it would hardly be shown. */
const MOST_READ = 4_000

/** Not within a name: PostgreSQL takes every character above ASCII for a letter. */
const START = String.raw`(?<![A-Za-z0-9_$]|[^\x00-\x7f])`

/** Each thing that can hold a value, or hides one; the rest of the statement is kept. PostgreSQL 18 manual, §4.1. */
const TOKENS = new RegExp([
  // A comment can be an old statement with its values.
  String.raw`--[^\n]*`,
  String.raw`/\*`,
  // An identifier is no value, whatever stands in it. Not closed: what it hides is unknown.
  String.raw`(?:${START}[uU]&)?"(?:[^"]|"")*(?:"|$)`,
  // With escapes, where a backslash takes a quote's meaning.
  String.raw`${START}[eE]'(?:[^'\\]|''|\\[^])*(?:'|\\?$)`,
  String.raw`(?:${START}(?:[bBxXnN]|[uU]&))?'(?:[^']|'')*(?:'|$)`,
  // $tag$ … $tag$; $1 is a parameter.
  String.raw`${START}\$(?<tag>(?:[A-Za-z_]|[^\x00-\x7f])(?:[A-Za-z0-9_]|[^\x00-\x7f])*)?\$[^]*?(?:\$\k<tag>\$|$)`,
  String.raw`\$\d+`,
  // Not the digits of a name.
  String.raw`${START}(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)`,
  String.raw`\s+`
].join('|'), 'gu')

/**
 * A statement without its values, for logs and names of spans: literals become `?`, comments go, a list of values becomes `(...)`.
 * Parameters (`$1`) stay. What cannot be read to its end, such as a string that is not closed, becomes `?` as a whole.
 */
export function sqlShape (sql: string): string {
  const text = sql.length > MOST_READ ? sql.slice(0, MOST_READ) : sql
  let shape = ''
  let from = 0
  TOKENS.lastIndex = 0
  for (let token = TOKENS.exec(text); token !== null; token = TOKENS.exec(text)) {
    const [found] = token
    shape += text.slice(from, token.index)
    if (found === '/*') {
      TOKENS.lastIndex = endOfComment(text, token.index)
      shape += ' '
    } else if (/^[^eE]?'[^]*\\'/.test(found)) {
      // With standard_conforming_strings off, that quote would not end it, and nobody knows what does.
      TOKENS.lastIndex = text.length
      shape += '?'
    } else {
      shape += replacement(found)
    }
    from = TOKENS.lastIndex
  }
  shape += text.slice(from)
  shape = shape
    .replace(/\((?:\s*(?:\?|\$\d+)\s*,)+\s*(?:\?|\$\d+)\s*\)/g, '(...)')
    .replace(/\(\.\.\.\)(?:\s*,\s*\(\.\.\.\))+/g, '(...)')
    .replace(/\s+/g, ' ')
    .trim()
  return shape.length > LONGEST ? `${shape.slice(0, LONGEST - 1)}…` : shape
}

function replacement (found: string): string {
  if (/^\s|^--/.test(found)) return ' '
  if (/^\$\d/.test(found)) return found
  if (found.startsWith('"') || /^[uU]&"/.test(found)) return found.length > 1 && found.endsWith('"') ? found : '?'
  return '?'
}

/** They nest, in PostgreSQL as in the standard. */
function endOfComment (text: string, start: number): number {
  const marks = /\/\*|\*\//g
  marks.lastIndex = start
  let depth = 0
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return text.length
}
