import { parseDuration, parseSize } from './units.js'

/** One option: how it is read, and the words for what it accepts. */
export interface Option<T> {
  readonly expected: string
  /** The words for what arrived, where `describe` would not say what is wrong with it. */
  readonly got?: (value: unknown) => string
  /** @returns the complete value (given `undefined`: the default), or `INVALID` */
  read (value: unknown): T | typeof INVALID
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>

/** What `resolveOptions` makes of a table: every key present, every value complete. */
export type Resolved<Table extends OptionTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Option<infer T> ? T : never
}

export const INVALID = Symbol('invalid')

/** Turns a message into the error that stops the boot; one for each technique. */
export type OptionErrorConstructor = new (message: string) => Error

/**
 * Turns what the user wrote into a complete, typed value.
 *
 * @param place where it was written, such as `options` or `route GET /users: config.slowRequest`
 * @throws OptionError naming the place, the key, what was expected and what arrived
 */
export function resolveOptions<Table extends OptionTable> (
  table: Table, raw: unknown, place: string, OptionError: OptionErrorConstructor
): Resolved<Table> {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new OptionError(complaint(place, 'an object', describe(raw)))
  }
  for (const key of Object.keys(raw)) {
    if (!Object.hasOwn(table, key)) {
      const keys = Object.keys(table)
      throw new OptionError(complaint(`${place}.${key}`, `one of the keys ${keys.join(', ')}`, `the unknown key ${describe(key)}`) + suggestion(key, keys))
    }
  }
  const resolved: Record<string, unknown> = {}
  for (const [key, option] of Object.entries(table)) {
    const given = (raw as Record<string, unknown>)[key]
    const value = option.read(given)
    if (value === INVALID) throw new OptionError(complaint(`${place}.${key}`, option.expected, (option.got ?? describe)(given)))
    resolved[key] = value
  }
  return resolved as Resolved<Table>
}

export function complaint (where: string, expected: string, got: string): string {
  return `${where}: expected ${expected}, got ${got}`
}

/** A short, safe rendering of a value for an error message. */
export function describe (value: unknown): string {
  if (typeof value === 'string') {
    // A URL given for something else still has its password in it.
    const shown = value.replace(/\/\/.*@/s, '//…@').replace(/([?&][^=&]*pass[^=&]*=)[^&#]*/gi, '$1…')
    return JSON.stringify(shown.length > 60 ? shown.slice(0, 57) + '…' : shown)
  }
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return value.name ? `the function ${value.name}` : 'a function'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) {
    const name: unknown = value.constructor?.name
    return typeof name === 'string' && name !== 'Object' && name !== '' ? `an instance of ${name}` : 'an object'
  }
  return String(value)
}

const DAY = 24 * 60 * 60 * 1_000

/** The longest delay of a timer: above it, Node fires after one millisecond. */
export const LONGEST_TIMER = 2 ** 31 - 1

export function duration<Default extends number | undefined> (fallback: Default, { min = 0, max = Infinity } = {}): Option<number | Default> {
  const bounds = `${min === 0 ? 'zero' : `${min} ms`} or more${max === Infinity ? '' : ` and ${max % DAY === 0 ? `${max / DAY} days` : `${max} ms`} at most`}`
  return {
    expected: `a duration of ${bounds} (milliseconds, or a string such as '250ms' or '15m')`,
    read: (value) => value === undefined ? fallback : within(min, parseDuration(value), max)
  }
}

export function size<Default extends number | undefined> (fallback: Default, { min = 0 } = {}): Option<number | Default> {
  return {
    expected: `a size of ${min === 0 ? 'zero' : `${min} ${min === 1 ? 'byte' : 'bytes'}`} or more (bytes, or a string such as '64kb' or '16mb')`,
    read: (value) => value === undefined ? fallback : within(min, parseSize(value))
  }
}

export function number<Default extends number | undefined> (fallback: Default, { min, max }: { min: number, max: number }): Option<number | Default> {
  return {
    expected: `a number from ${min} to ${max}`,
    read: (value) => value === undefined ? fallback : within(min, typeof value === 'number' ? value : undefined, max)
  }
}

export function boolean<Default extends boolean | undefined> (fallback: Default): Option<boolean | Default> {
  return {
    expected: 'true or false',
    read: (value) => value === undefined ? fallback : typeof value === 'boolean' ? value : INVALID
  }
}

export function string<Default extends string | undefined> (
  fallback: Default, { pattern = /./s, expected = 'a non-empty string' }: { pattern?: RegExp, expected?: string } = {}
): Option<string | Default> {
  return {
    expected,
    read: (value) => value === undefined ? fallback : typeof value === 'string' && pattern.test(value) ? value : INVALID
  }
}

/** `false` switches off what the option would configure. */
export function orFalse<T> (option: Option<T>): Option<T | false> {
  return { ...option, expected: `${option.expected}, or false`, read: (value) => value === false ? false : option.read(value) }
}

/** `false` switches off what the option configures, `true` is all its defaults. */
export function orBoolean<T> (option: Option<T>): Option<T | false> {
  return { ...option, expected: `true, false or ${option.expected}`, read: (value) => value === false ? false : option.read(value === true ? undefined : value) }
}

/** Anything that `accepts`; for clients, functions and other things that only the plugin can judge. */
export function custom<T> (expected: string, accepts: (value: unknown) => value is T): Option<T | undefined> {
  return { expected, read: (value) => value === undefined || accepts(value) ? value : INVALID }
}

/** An object with no other keys, for another library to judge. */
export function keys<T extends object> (names: ReadonlyArray<keyof T & string>): Option<T | undefined> {
  const unknown = (value: object): string | undefined => Object.keys(value).find((key) => !(names as readonly string[]).includes(key))
  return {
    expected: `an object of the keys ${names.join(', ')}`,
    got: (value) => isObject(value) ? `the unknown key ${describe(unknown(value))}` : describe(value),
    read: (value) => value === undefined || (isObject(value) && unknown(value) === undefined) ? value as T | undefined : INVALID
  }
}

/** An option that is itself a table of options; absent means all defaults. */
export function nested<Table extends OptionTable> (table: Table, OptionError: OptionErrorConstructor, place: string): Option<Resolved<Table>> {
  return { expected: 'an object', read: (value) => resolveOptions(table, value === undefined ? {} : value, place, OptionError) }
}

function isObject (value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function within (min: number, value: number | undefined, max = Infinity): number | typeof INVALID {
  // NaN is within nothing.
  return value !== undefined && value >= min && value <= max ? value : INVALID
}

function suggestion (key: string, keys: readonly string[]): string {
  const near = keys
    .map((known) => ({ known, distance: editDistance(key.toLowerCase(), known.toLowerCase()) }))
    .filter(({ distance }) => distance <= 2)
    .sort((a, b) => a.distance - b.distance)[0]
  return near === undefined ? '' : `; did you mean "${near.known}"?`
}

/** Levenshtein distance, one row at a time. */
function editDistance (a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}
