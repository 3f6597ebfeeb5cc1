import { parseDictionary, serializeDictionary, type DictionaryObject } from 'structured-headers'
import { INVALID, type Option } from '../shared/options.js'
import { parseDuration, type Duration } from '../shared/units.js'

/**
 * Directives of a reply (RFC 9111 §5.2.2, RFC 5861, RFC 8246). Durations are sent in whole seconds.
 */
export interface CacheControl {
  /** Any cache may keep the reply, also where it otherwise could not. */
  public?: boolean
  /** Only the client's own cache may keep the reply. */
  private?: boolean
  /** How long the reply is fresh. */
  maxAge?: Duration
  /** How long it is fresh in a shared cache, in place of `maxAge`. */
  sMaxage?: Duration
  /** It may be kept, and not used before the app was asked whether it still is what it was. */
  noCache?: boolean
  /** It may not be kept. */
  noStore?: boolean
  /** Intermediaries may not change it: compression included. */
  noTransform?: boolean
  /** When no longer fresh it may not be used, come what may. */
  mustRevalidate?: boolean
  /** The same, of shared caches. */
  proxyRevalidate?: boolean
  /** Only a cache that knows what the status demands may keep it. */
  mustUnderstand?: boolean
  /** It does not change while it is fresh: not even a reload asks again. */
  immutable?: boolean
  /** How long after that a cache may use it while it asks for a newer one. */
  staleWhileRevalidate?: Duration
  /** How long after that a cache may use it when the app answers with an error, or not at all. */
  staleIfError?: Duration
}

/** The directives by name, in the order they are sent in: whole seconds, a text, or true where there is no argument. */
export type Directives = ReadonlyMap<string, number | string | true>

const SECONDS = { maxAge: 'max-age', sMaxage: 's-maxage', staleWhileRevalidate: 'stale-while-revalidate', staleIfError: 'stale-if-error' } as const
const FLAGS = {
  public: 'public',
  private: 'private',
  noCache: 'no-cache',
  noStore: 'no-store',
  noTransform: 'no-transform',
  mustRevalidate: 'must-revalidate',
  proxyRevalidate: 'proxy-revalidate',
  mustUnderstand: 'must-understand',
  immutable: 'immutable'
} as const
const KEYS = [...Object.keys(FLAGS), ...Object.keys(SECONDS)]
const TAKE_SECONDS: ReadonlySet<string> = new Set(Object.values(SECONDS))
/** RFC 9111 §5.2.2.4, §5.2.2.7: in quotes, also where it is one. */
const NAME_FIELDS: ReadonlySet<string> = new Set(['private', 'no-cache'])
const TAKE_NOTHING: ReadonlySet<string> = new Set(Object.values(FLAGS).filter((name) => !NAME_FIELDS.has(name)))

/** RFC 9111 §1.2.2: what is more is the same. */
const MOST_SECONDS = 2 ** 31

/** An object of directives, or the field's text. */
export const cacheControl: Option<Directives | undefined> = {
  expected: `Cache-Control as a text, or an object of the keys ${KEYS.join(', ')}, whose directives do not contradict each other`,
  read: (value) => value === undefined ? undefined : checked(typeof value === 'string' ? parsed(value) : fromObject(value))
}

/** The same for a targeted field, whose text is a structured field (RFC 9213 §2.1). */
export const targetedCacheControl: Option<Directives | undefined> = {
  expected: `the directives as a dictionary of structured fields (RFC 9213), or an object of the keys ${KEYS.join(', ')}, whose directives do not contradict each other`,
  read: (value) => value === undefined ? undefined : checked(typeof value === 'string' ? parsedTargeted(value) : fromObject(value))
}

export function format (directives: Directives): string {
  return Array.from(directives, ([name, argument]) => argument === true ? name : `${name}=${typeof argument === 'number' || (isToken(argument) && !NAME_FIELDS.has(name)) ? argument : quoted(argument)}`).join(', ')
}

export function formatTargeted (directives: Directives): string {
  return serializeDictionary(Object.fromEntries(directives) satisfies DictionaryObject)
}

/** The same, for the client's own cache alone. */
export function madePrivate (directives: Directives): Directives {
  if (directives.has('no-store') || directives.get('private') === true) return directives
  const rest = Array.from(directives).filter(([name]) => !SHARED.has(name))
  return new Map<string, number | string | true>([['private', true], ...rest])
}

/** What says something to shared caches only, or to them too: a shared cache has nothing of it any more. */
const SHARED: ReadonlySet<string> = new Set(['public', 'private', 's-maxage', 'proxy-revalidate'])

function fromObject (value: unknown): Directives | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const directives = new Map<string, number | true>()
  for (const key of Object.keys(value)) if (!KEYS.includes(key)) return undefined
  const given = value as Record<string, unknown>
  for (const [key, name] of Object.entries(FLAGS)) {
    if (given[key] === undefined || given[key] === false) continue
    if (given[key] !== true) return undefined
    directives.set(name, true)
  }
  for (const [key, name] of Object.entries(SECONDS)) {
    if (given[key] === undefined) continue
    const milliseconds = parseDuration(given[key])
    if (milliseconds === undefined) return undefined
    directives.set(name, Math.min(Math.floor(milliseconds / 1_000), MOST_SECONDS))
  }
  return directives
}

/** RFC 9111 §5.2: a list of `token [ "=" ( token / quoted-string ) ]`. */
const DIRECTIVE = /[ \t]*([!#$%&'*+\-.^_`|~\w]+)(?:=(?:([!#$%&'*+\-.^_`|~\w]+)|"((?:[^"\\]|\\.)*)"))?[ \t]*(,|$)/y

function parsed (text: string): Directives | undefined {
  const directives = new Map<string, number | string | true>()
  DIRECTIVE.lastIndex = 0
  let at = 0
  while (at < text.length) {
    DIRECTIVE.lastIndex = at
    const match = DIRECTIVE.exec(text)
    if (match === null) return undefined
    at = DIRECTIVE.lastIndex
    const name = match[1]!.toLowerCase()
    const argument = match[2] ?? match[3]?.replace(/\\(.)/g, '$1')
    if (directives.has(name)) return undefined
    directives.set(name, argument === undefined ? true : TAKE_SECONDS.has(name) ? Number(/^\d{1,10}$/.test(argument) ? argument : NaN) : argument)
    // A comma behind the last one.
    if (match[4] === ',' && at === text.length) return undefined
  }
  return directives
}

function parsedTargeted (text: string): Directives | undefined {
  try {
    const directives = new Map<string, number | string | true>()
    for (const [name, member] of parseDictionary(text)) {
      const [value] = member
      if (value !== true && typeof value !== 'number' && typeof value !== 'string') return undefined
      directives.set(name, value)
    }
    return directives
  } catch {
    return undefined
  }
}

/** A field that says two things at once is a mistake, and caches differ in what they take it for. */
function checked (directives: Directives | undefined): Directives | typeof INVALID {
  if (directives === undefined || directives.size === 0) return INVALID
  for (const [name, argument] of directives) {
    if (TAKE_SECONDS.has(name) && !(typeof argument === 'number' && Number.isInteger(argument) && argument >= 0)) return INVALID
    if (TAKE_NOTHING.has(name) && argument !== true) return INVALID
  }
  const contradicts = directives.has('public') && (directives.get('private') === true || directives.has('no-store'))
  const sharesPrivate = directives.get('private') === true && directives.has('s-maxage')
  return contradicts || sharesPrivate ? INVALID : directives
}

function isToken (text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~\w]+$/.test(text)
}

function quoted (text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
