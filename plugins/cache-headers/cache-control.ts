import { parseDictionary, serializeDictionary, type DictionaryObject } from 'structured-headers'
import { describe, INVALID, type Option } from '../shared/options.js'
import { parseDuration, type Duration } from '../shared/units.js'

/**
 * Directives of a reply (RFC 9111 §5.2.2, RFC 5861, RFC 8246). Durations are of whole seconds, such as `'1h'`: a number is milliseconds.
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

/** What is wrong with directives, in words. */
class Refusal {
  readonly reason: string

  constructor (reason: string) {
    this.reason = reason
  }
}

/** An object of directives, or the field's text. */
export const cacheControl = directives('Cache-Control as a text', parsed)

/** The same for a targeted field, whose text is a structured field (RFC 9213 §2.1). */
export const targetedCacheControl = directives('the directives as a dictionary of structured fields', parsedTargeted)

function directives (text: string, parse: (text: string) => Directives | Refusal): Option<Directives | undefined> {
  const read = (value: unknown): Directives | Refusal => checked(typeof value === 'string' ? parse(value) : fromObject(value))
  return {
    expected: `${text}, or an object of the keys ${KEYS.join(', ')}`,
    got: (value) => (read(value) as Refusal).reason,
    read: (value) => {
      const result = value === undefined ? undefined : read(value)
      return result instanceof Refusal ? INVALID : result
    }
  }
}

export function format (directives: Directives): string {
  return Array.from(directives, ([name, argument]) => argument === true ? name : `${name}=${typeof argument === 'number' || (isToken(argument) && !NAME_FIELDS.has(name)) ? argument : quoted(argument)}`).join(', ')
}

export function formatTargeted (directives: Directives): string {
  return serializeDictionary(Object.fromEntries(directives) satisfies DictionaryObject)
}

/** The same, for the client's own cache alone. */
export function madePrivate (directives: Directives): Directives {
  // RFC 9111 §5.2.2.3: who knows must-understand need not obey no-store beside it.
  if ((directives.has('no-store') && !directives.has('must-understand')) || directives.get('private') === true) return directives
  const rest = Array.from(directives).filter(([name]) => !SHARED.has(name))
  return new Map<string, number | string | true>([['private', true], ...rest])
}

/** What says something to shared caches only, or to them too: a shared cache has nothing of it any more. */
const SHARED: ReadonlySet<string> = new Set(['public', 'private', 's-maxage', 'proxy-revalidate'])

function fromObject (value: unknown): Directives | Refusal {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Refusal(describe(value))
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key))
  if (unknown !== undefined) return new Refusal(`the unknown key ${describe(unknown)}`)
  const directives = new Map<string, number | true>()
  const given = value as Record<string, unknown>
  for (const [key, name] of Object.entries(FLAGS)) {
    if (given[key] === undefined || given[key] === false) continue
    if (given[key] !== true) return new Refusal(`${key}: ${describe(given[key])}, which is neither true nor false`)
    directives.set(name, true)
  }
  for (const [key, name] of Object.entries(SECONDS)) {
    if (given[key] === undefined) continue
    const seconds = (parseDuration(given[key]) ?? NaN) / 1_000
    // 60 is meant to be a minute, and would be sixty milliseconds.
    if (!Number.isInteger(seconds)) return new Refusal(`${key}: ${describe(given[key])}, which is no duration of whole seconds, such as '60s' (a number is milliseconds)`)
    directives.set(name, Math.min(seconds, MOST_SECONDS))
  }
  return directives
}

/** RFC 9111 §5.2: a list of `token [ "=" ( token / quoted-string ) ]`. */
const DIRECTIVE = /[ \t]*([!#$%&'*+\-.^_`|~\w]+)(?:=(?:([!#$%&'*+\-.^_`|~\w]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"))?[ \t]*(,|$)/y

function parsed (text: string): Directives | Refusal {
  const directives = new Map<string, number | string | true>()
  let at = 0
  while (at < text.length) {
    DIRECTIVE.lastIndex = at
    const match = DIRECTIVE.exec(text)
    if (match === null) return unreadable(text)
    at = DIRECTIVE.lastIndex
    const name = match[1]!.toLowerCase()
    const argument = match[2] ?? match[3]?.replace(/\\(.)/g, '$1')
    if (directives.has(name)) return new Refusal(`${name} twice`)
    directives.set(name, argument === undefined ? true : TAKE_SECONDS.has(name) ? Number(/^\d{1,10}$/.test(argument) ? argument : NaN) : argument)
    // A comma behind the last one.
    if (match[4] === ',' && at === text.length) return unreadable(text)
  }
  return directives
}

function parsedTargeted (text: string): Directives | Refusal {
  try {
    const directives = new Map<string, number | string | true>()
    for (const [name, [value]] of parseDictionary(text)) {
      if (value !== true && typeof value !== 'number' && typeof value !== 'string') return unreadable(text)
      directives.set(name, value)
    }
    return directives
  } catch {
    return unreadable(text)
  }
}

function unreadable (text: string): Refusal {
  return new Refusal(`${describe(text)}, which cannot be read`)
}

/** Of directives that contradict each other, caches differ in which they obey. */
function checked (directives: Directives | Refusal): Directives | Refusal {
  if (directives instanceof Refusal) return directives
  if (directives.size === 0) return new Refusal('no directive')
  for (const [name, argument] of directives) {
    if (TAKE_SECONDS.has(name) && !(typeof argument === 'number' && Number.isInteger(argument) && argument >= 0)) return new Refusal(`${name} without whole seconds`)
    if (TAKE_NOTHING.has(name) && argument !== true) return new Refusal(`${name} with an argument`)
  }
  const contradiction = [['public', 'private'], ['public', 'no-store'], ['private', 's-maxage']].find((pair) => pair.every((name) => directives.has(name) && (name !== 'private' || directives.get(name) === true)))
  return contradiction === undefined ? directives : new Refusal(`${contradiction.join(' beside ')}, which contradict each other`)
}

function isToken (text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~\w]+$/.test(text)
}

function quoted (text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
