/** A range of an Accept field (RFC 9110 §12.5.1), with its quality from 0, not acceptable, to 1. */
interface MediaRange {
  readonly type: string
  readonly subtype: string
  /** How exactly it says what it means: of two that match, the more exact one counts. */
  readonly precision: number
  readonly quality: number
}

const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i
/** A member, or a parameter: a separator within quotes separates nothing (RFC 9110 §5.6.4). */
const MEMBERS = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/gs
const PARTS = /(?:[^;"]|"(?:[^"\\]|\\.)*"?)+/gs

const RANGE = /^([!#$%&'*+.^_`|~\w-]+)\/([!#$%&'*+.^_`|~\w-]+)$/

/**
 * Which of several media types a client likes best.
 *
 * A range with parameters of its own (`text/csv;header=absent`) is met by the type without: they say how it is to be written, and
 * are no reason to write nothing. What cannot be read in the field is passed over.
 *
 * @param offered `type/subtype`, in lower case; the first one where the client has no wish, or likes several alike
 * @returns undefined where it accepts none
 */
export function preferredType<Type extends string> (accept: string | undefined, offered: readonly [Type, ...Type[]]): Type | undefined {
  const ranges = accept === undefined ? [] : (accept.match(MEMBERS) ?? []).flatMap((member) => parseRange(member) ?? [])
  if (ranges.length === 0) return offered[0]
  let best: Type | undefined
  let most = 0
  for (const type of offered) {
    const quality = qualityOf(type, ranges)
    if (quality <= most) continue
    best = type
    most = quality
  }
  return best
}

function qualityOf (offered: string, ranges: readonly MediaRange[]): number {
  const [type, subtype] = offered.split('/')
  let match: MediaRange | undefined
  for (const range of ranges) {
    if ((range.type !== '*' && range.type !== type) || (range.subtype !== '*' && range.subtype !== subtype)) continue
    if (match === undefined || range.precision > match.precision || (range.precision === match.precision && range.quality > match.quality)) match = range
  }
  return match?.quality ?? 0
}

function parseRange (member: string): MediaRange | undefined {
  const [range = '', ...parameters] = (member.match(PARTS) ?? []).map((part) => part.trim())
  const [, type, subtype] = RANGE.exec(range.toLowerCase()) ?? []
  if (type === undefined || subtype === undefined || (type === '*' && subtype !== '*')) return undefined
  let quality = 1
  for (const parameter of parameters) {
    if (!/^q\s*(?:=|$)/i.test(parameter)) continue
    const [, weight] = WEIGHT.exec(parameter) ?? []
    if (weight === undefined) return undefined
    quality = Number(weight)
  }
  return { type, subtype, precision: type === '*' ? 0 : subtype === '*' ? 1 : 2, quality }
}
