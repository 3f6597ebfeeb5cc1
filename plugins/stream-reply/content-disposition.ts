/**
 * What stands in a path, or is not to be seen: separators, quotes, what some systems take for a device or a pattern, control
 * characters, marks that turn the direction of what follows, line separators, spaces of no width. A joiner stays: emoji are made
 * with it.
 */
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f"*/:<>?\\|\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/gu

const DOT_OR_SPACE = /[.\s]/

/** Bytes that most file systems have room for, as UTF-8. */
const LONGEST = 200

/**
 * The field that has a browser save a reply under a name (RFC 6266), whatever that name is made of: no path, no way out of the
 * field, and what is not ASCII beside it (RFC 8187) for those who can read that.
 */
export function attachment (filename: string): string {
  const name = safeName(filename)
  const ascii = name.replace(/[^\u0020-\u007e]/gu, '_').replaceAll('%', '_')
  const plain = `attachment; filename="${ascii}"`
  return ascii === name ? plain : `${plain}; filename*=UTF-8''${percentEncoded(name)}`
}

function safeName (filename: string): string {
  const name = trimmed(shortened(trimmed(filename.toWellFormed().replace(UNSAFE, '_'))))
  return name === '' ? 'download' : name
}

/** Without dots and spaces around it: hidden is not what is meant, and Windows drops those at the end. */
function trimmed (name: string): string {
  let start = 0
  let end = name.length
  while (start < end && DOT_OR_SPACE.test(name[start]!)) start++
  while (end > start && DOT_OR_SPACE.test(name[end - 1]!)) end--
  return name.slice(start, end)
}

/** Its ending says what it is, and stays. */
function shortened (name: string): string {
  if (Buffer.byteLength(name) <= LONGEST) return name
  const dot = name.lastIndexOf('.')
  const ending = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : ''
  const letters = Array.from(ending === '' ? name : name.slice(0, dot))
  while (Buffer.byteLength(letters.join('')) > LONGEST - Buffer.byteLength(ending)) letters.length = Math.floor(letters.length * 0.9)
  return letters.join('') + ending
}

/** RFC 8187 §3.2.1: encodeURIComponent leaves four that are no attr-char. */
function percentEncoded (name: string): string {
  return encodeURIComponent(name).replace(/['()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
}
