import { LONGEST_TAG } from '../shared/envelope.js'
import { boolean, custom, describe, duration, INVALID, LONGEST_TIMER, number, resolveOptions, size, type Option, type OptionTable } from '../shared/options.js'
import type { Duration } from '../shared/units.js'
import type { CacheDefaults, CacheEntryOptions } from './api.js'
import { OptionError, TagError } from './errors.js'

/** A hundred years, in milliseconds: longer, and Redis cannot count it. */
const LONGEST_TTL = 100 * 365 * 24 * 60 * 60 * 1_000

/** What rules one call, complete. Times in milliseconds. */
export interface Settings {
  readonly ttl: number
  readonly jitter: number
  readonly stale: number
  readonly staleOnError: number
  /** The beta of XFetch, or false. */
  readonly refreshAhead: number | false
  readonly negativeTtl: number
  readonly softTimeout: number | undefined
  readonly hardTimeout: number
  readonly maxBytes: number
  readonly clone: boolean
  readonly tags: readonly string[]
  readonly signal: AbortSignal | undefined
}

const aDuration = duration(undefined, { max: LONGEST_TTL })
const aTimeout = duration(undefined, { min: 1, max: LONGEST_TIMER })

const DEFAULTS_TABLE = {
  ttl: aDuration,
  jitter: number(undefined, { min: 0, max: 1 }),
  stale: aDuration,
  staleOnError: aDuration,
  refreshAhead: beta(),
  negativeTtl: aDuration,
  softTimeout: aTimeout,
  hardTimeout: aTimeout,
  maxBytes: size(undefined, { min: 1 }),
  clone: boolean(undefined)
} satisfies Record<keyof CacheDefaults, Option<unknown>>

/** Of what outlasts a call, and so has no signal of one. */
export const LASTING_TABLE = {
  ...DEFAULTS_TABLE,
  tags: custom('an array of tags', (value): value is string[] => Array.isArray(value))
}

const TABLE = {
  ...LASTING_TABLE,
  signal: custom('an AbortSignal', (value): value is AbortSignal => value instanceof AbortSignal)
}

const isFunction = (value: unknown): value is () => unknown => typeof value === 'function'

/** Those of `getMany`, which are no settings but its own. */
export const GET_MANY_TABLE = {
  key: custom('a function that makes the key for an id', isFunction),
  load: custom('a function that loads the values', isFunction),
  settle: boolean(undefined),
  ...TABLE
}

/** Those of a resource, of which some are no settings either. */
export const RESOURCE_TABLE = {
  key: custom('a function that makes the key for an id', isFunction),
  load: custom('a function that loads by id', isFunction),
  loadMany: custom('a function that loads several by id', isFunction),
  save: custom('a function that saves by id', isFunction),
  write: custom("'through' or 'behind'", (value): value is 'through' | 'behind' => value === 'through' || value === 'behind'),
  queue: custom('an object of options of app.writeBehind', (value): value is object => typeof value === 'object' && value !== null),
  ...LASTING_TABLE
}

/** What rules a call where neither it nor the plugin's options say otherwise. */
const BUILT_IN: Settings = {
  ttl: 60_000,
  jitter: 0.1,
  stale: 0,
  staleOnError: 0,
  refreshAhead: false,
  negativeTtl: 0,
  softTimeout: undefined,
  hardTimeout: 30_000,
  maxBytes: 8 * 2 ** 20,
  clone: false,
  tags: [],
  signal: undefined
}

/** Reads the plugin's own defaults. */
export const defaultOptions = DEFAULTS_TABLE

/** @param given what `defaultOptions` made of the plugin's options */
export function defaultSettings (given: { readonly [Key in keyof CacheDefaults]-?: Settings[Key] | undefined }): Settings {
  return overlay(given, BUILT_IN)
}

/** @param place where the options were written, for the error's message */
export function settingsOf (options: CacheEntryOptions | undefined, defaults: Settings, place = 'options', table: OptionTable = TABLE): Settings {
  if (options === undefined) return defaults
  if (typeof options !== 'object' || options === null || Array.isArray(options)) resolveOptions(table, options, place, OptionError)
  // Two or three keys, on every call that memory has nothing for: only what is given is read.
  const given: Partial<Record<keyof Settings, unknown>> = {}
  for (const key of Object.keys(options) as Array<keyof CacheEntryOptions>) {
    const value = Object.hasOwn(table, key) ? table[key]!.read(options[key]) : INVALID
    if (value === INVALID) resolveOptions(table, options, place, OptionError)
    given[key] = value
  }
  given.tags = checkedTags(given.tags as readonly string[] | undefined)
  return overlay(given as Partial<Settings>, defaults)
}

// One literal: an object put together key by key costs ten times as much.
function overlay (given: { readonly [Key in keyof Settings]?: Settings[Key] | undefined }, defaults: Settings): Settings {
  return {
    ttl: given.ttl ?? defaults.ttl,
    jitter: given.jitter ?? defaults.jitter,
    stale: given.stale ?? defaults.stale,
    staleOnError: given.staleOnError ?? defaults.staleOnError,
    refreshAhead: given.refreshAhead ?? defaults.refreshAhead,
    negativeTtl: given.negativeTtl ?? defaults.negativeTtl,
    softTimeout: given.softTimeout ?? defaults.softTimeout,
    hardTimeout: given.hardTimeout ?? defaults.hardTimeout,
    maxBytes: given.maxBytes ?? defaults.maxBytes,
    clone: given.clone ?? defaults.clone,
    tags: given.tags ?? defaults.tags,
    signal: given.signal ?? defaults.signal
  }
}

/** Distinct, and the caller's own array no more. */
function checkedTags (tags: readonly string[] | undefined): readonly string[] | undefined {
  if (tags === undefined) return undefined
  const distinct = new Set(tags)
  // Not tags.forEach, which passes over the holes of an array.
  for (const tag of distinct) checkTag(tag)
  return [...distinct]
}

/** Of what does not exist: kept as long as that may be believed, and not stale. */
export function missingSettings (settings: Settings): Settings {
  return { ...settings, ttl: settings.negativeTtl, stale: 0, staleOnError: 0 }
}

/** A ttl that a loader has set. @returns milliseconds */
export function loadedTtl (given: Duration): number {
  const ttl = aDuration.read(given)
  if (ttl === undefined || ttl === INVALID) throw new OptionError(`ttl() in a load: expected ${aDuration.expected}, got ${describe(given)}`)
  return ttl
}

// Without control characters, because the tags of our own have one.
export function checkTag (tag: unknown): void {
  // eslint-disable-next-line no-control-regex
  if (typeof tag !== 'string' || tag === '' || !tag.isWellFormed() || Buffer.byteLength(tag) > LONGEST_TAG || /[\0-\x1f]/.test(tag)) {
    throw new TagError(describe(tag))
  }
}

function beta (): Option<number | false | undefined> {
  const range = number(undefined, { min: 0.01, max: 100 })
  return {
    expected: `true, false, or ${range.expected}`,
    read: (value) => value === true ? 1 : value === false ? false : range.read(value)
  }
}
