import { createHash } from 'node:crypto'
import type { EntityTag } from '../shared/entity-tag.js'
import type { MicrosecondDate } from './microsecond-dates.js'

/** What a version says of the representation that has it. */
export interface Validators {
  readonly tag: EntityTag
  /** The version as a text that a database compares with: what was given, or the date with all that is known of it. */
  readonly version: string
  /** Milliseconds since the epoch, whole seconds. */
  readonly lastModified?: number
  /** Since when nothing else can have the tag, and the date; milliseconds since the epoch. */
  readonly sureFrom: number
}

/** How long after a date has passed an update can still get it: it has its date from when its transaction began. Milliseconds. */
const SETTLES = 100

/** Longer ones are hashed: a client sends them back in a field that many proxies bound. */
const LONGEST = 200

/** @returns undefined for what is no version */
export function validatorsOf (version: unknown): Validators | undefined {
  if (typeof version === 'string' && version !== '') return { tag: { weak: false, opaque: opaqueOf(version) }, version, sureFrom: -Infinity }
  if (!(version instanceof Date) || Number.isNaN(version.getTime())) return undefined
  const time = version.getTime()
  const { microseconds } = version as Partial<MicrosecondDate>
  const precise = typeof microseconds === 'number'
  const text = precise ? version.toISOString().replace('Z', `${String(microseconds).padStart(3, '0')}Z`) : version.toISOString()
  // A column can hold less than a Date: of what ends in zeros, it may hold no more.
  return {
    tag: { weak: false, opaque: text },
    version: text,
    // Rounded up: rounded down it would be the date of all that comes later in its second too, and of what a client has from earlier in it.
    lastModified: Math.ceil((time + (microseconds ?? 0) / 1_000) / 1_000) * 1_000,
    sureFrom: microseconds ? -Infinity : time + SETTLES + (time % 1_000 === 0 ? 1_000 : 0)
  }
}

/** The same of a date of seconds, which clients compare alone; milliseconds. */
const DATE_SETTLES = 1_000

/** Whether a client may be told the date: later, nothing else gets it, but by a transaction that has been under way for longer than a second. */
export function isSettled (lastModified: number, now: number): boolean {
  return lastModified + DATE_SETTLES < now
}

/** Two versions have never one text: what may not stand in a tag is encoded, and so is what encodes. A colon stands before a coding. */
function opaqueOf (version: string): string {
  const encoded = version.replace(/[^\x21\x23\x24\x26-\x2b\x2d-\x39\x3b-\x5b\x5d-\x7e]+/g, (text) => Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''))
  return encoded.length <= LONGEST && version.isWellFormed() ? encoded : `%%${createHash('sha256').update(version, 'utf16le').digest('base64url')}`
}
