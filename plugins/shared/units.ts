/** Milliseconds, or a string such as `'250ms'`, `'1.5s'`, `'15m'`, `'1h'`, `'7d'`. */
export type Duration = number | string

/** Bytes, or a string such as `'512b'`, `'64kb'`, `'16mb'`, `'1gb'` (1 kb is 1,024 bytes). */
export type Size = number | string

const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const BYTES = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 }

/** @returns milliseconds, or `undefined` when `value` is not a finite duration of zero or more */
export function parseDuration (value: unknown): number | undefined {
  return parse(value, MILLISECONDS)
}

/** @returns whole bytes, or `undefined` when `value` is not a finite size of zero or more */
export function parseSize (value: unknown): number | undefined {
  const bytes = parse(value, BYTES)
  return bytes === undefined ? undefined : Math.floor(bytes)
}

/** Of texts read before: a program has a few, and gives them with every call. */
const REMEMBERED = 1_000
const remembered = new Map<Readonly<Record<string, number>>, Map<string, number | undefined>>([[MILLISECONDS, new Map()], [BYTES, new Map()]])

function parse (value: unknown, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof value !== 'string') return parseOnce(value, units)
  const known = remembered.get(units)!
  if (known.has(value)) return known.get(value)
  const parsed = parseOnce(value, units)
  if (known.size < REMEMBERED) known.set(value, parsed)
  return parsed
}

function parseOnce (value: unknown, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  // A bare '15' is refused: the reader cannot see which unit was meant.
  const match = /^(\d+(?:\.\d+)?) ?([a-z]+)$/i.exec(value.trim())
  const unit = match && Object.hasOwn(units, match[2]!.toLowerCase()) ? units[match[2]!.toLowerCase()] : undefined
  if (!match || unit === undefined) return undefined
  const parsed = Number(match[1]) * unit
  return Number.isFinite(parsed) ? parsed : undefined
}
