import { bodyOf, entryFrom } from '../shared/entry.js'

export type Id = string | number

/** A write that waits, or could not be saved. */
export interface Write<T = any, I extends Id = Id> {
  readonly id: I
  readonly value: T
  /** Rises with each write of the id. */
  readonly version: number
}

/**
 * What stands in Redis for a write: its version in sixteen digits, which Redis puts there; a byte that says whether the id is a
 * number or a string; and the value as a body (plugins/shared/body.ts).
 */
export const VERSION_DIGITS = 16
const NUMBER = 0x6e
const STRING = 0x73

/** @returns all but the version, or what in the value cannot be kept */
export function payloadOf (id: Id, value: unknown): Buffer | { readonly unsupported: string } {
  const made = bodyOf(value)
  if ('unsupported' in made) return made
  const payload = Buffer.allocUnsafe(1 + made.bytes.length)
  payload[0] = typeof id === 'number' ? NUMBER : STRING
  payload.set(made.bytes, 1)
  return payload
}

/** What `payloadOf` was given, as whoever reads it from Redis has it. */
export function valueOf (payload: Buffer): unknown {
  return entryFrom(payload.subarray(1)).value()
}

/** @throws on what is none, or a later release's */
export function writeOf (id: string, record: Buffer): Write {
  const type = record[VERSION_DIGITS]
  const version = versionOf(record)
  if ((type !== NUMBER && type !== STRING) || !Number.isSafeInteger(version)) throw new UnreadableRecordError()
  try {
    return { id: type === NUMBER ? Number(id) : id, version, value: valueOf(record.subarray(VERSION_DIGITS)) }
  } catch {
    // Not the error itself: that of JSON.parse quotes the text.
    throw new UnreadableRecordError()
  }
}

/** As `writeOf`, but without the value where that cannot be read. */
export function readableWrite (id: string, record: Buffer): Write {
  try {
    return writeOf(id, record)
  } catch {
    return { id, value: undefined, version: versionOf(record) || 0 }
  }
}

/** The version as it stands there: by it a script knows whether it is still the same write. */
export function stampOf (record: Buffer): Buffer {
  return record.subarray(0, VERSION_DIGITS)
}

export function versionOf (record: Buffer): number {
  return Number(record.toString('latin1', 0, VERSION_DIGITS))
}

export class UnreadableRecordError extends Error {
  override readonly name = 'UnreadableRecordError'
  constructor () {
    super('What stands in Redis is not a write of this release.')
  }
}
