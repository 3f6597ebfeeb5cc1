import { randomFillSync } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * What stands in Redis under a key: a header, then the entry's bytes.
 *
 * | offset | length | what |
 * |---|---|---|
 * | 0 | 1 | magic, 0x48 |
 * | 1 | 1 | version of this layout |
 * | 2 | 1 | kind: 0 a value, 1 a tombstone |
 * | 3 | 1 | zero |
 * | 4 | 8 | token, random, new with every write |
 * | 12 | 8 | expiry, wall-clock milliseconds, float64 big-endian |
 * | 20 | 8 | lifetime when written, milliseconds, float64 big-endian |
 * | 28 | 4 | CRC-32 of all the other bytes, big-endian |
 * | 32 | … | the entry's bytes (none in a tombstone) |
 *
 * The first twelve bytes are the state's stamp: whoever read them can later ask Redis to write only if they are still there.
 */
export const STAMP_BYTES = 12
const EXPIRY = 12
const LIFETIME = 20
const CHECKSUM = 28
const HEADER_BYTES = 32
const MAGIC = 0x48
const VERSION = 1
const VALUE = 0
const TOMBSTONE = 1

export interface Lifetime {
  /** Milliseconds from the writing on. */
  ttl: number
  /** The writer's wall clock, milliseconds. */
  expiresAt: number
}

export function sealValue (bytes: Uint8Array, lifetime: Lifetime): Buffer {
  return seal(VALUE, bytes, lifetime)
}

/** Left behind by a delete, so that a load that began before it cannot write its older value. */
export function sealTombstone (): Buffer {
  return seal(TOMBSTONE, new Uint8Array(), { ttl: 0, expiresAt: 0 })
}

export type Opened =
  | { readonly kind: 'value', readonly bytes: Buffer } & Readonly<Lifetime>
  | { readonly kind: 'tombstone' }
  /** Not ours, damaged, or of another version: to be treated as a miss. */
  | { readonly kind: 'unreadable' }

export function open (envelope: Buffer): Opened {
  if (envelope.length < HEADER_BYTES || envelope[0] !== MAGIC || envelope[1] !== VERSION) return { kind: 'unreadable' }
  // A flipped bit in a text is another text: only a checksum tells.
  if (envelope.readUInt32BE(CHECKSUM) !== checksum(envelope)) return { kind: 'unreadable' }
  if (envelope[2] === TOMBSTONE) return { kind: 'tombstone' }
  const expiresAt = envelope.readDoubleBE(EXPIRY)
  const ttl = envelope.readDoubleBE(LIFETIME)
  if (envelope[2] !== VALUE || !Number.isFinite(expiresAt) || !Number.isFinite(ttl)) return { kind: 'unreadable' }
  return { kind: 'value', bytes: envelope.subarray(HEADER_BYTES), ttl, expiresAt }
}

export function stampOf (envelope: Buffer | null): Buffer {
  return envelope === null ? ABSENT : envelope.subarray(0, STAMP_BYTES)
}

/** The stamp of a key that is not there. */
export const ABSENT = Buffer.alloc(0)

function seal (kind: number, bytes: Uint8Array, { ttl, expiresAt }: Lifetime): Buffer {
  const envelope = Buffer.allocUnsafe(HEADER_BYTES + bytes.length)
  envelope[0] = MAGIC
  envelope[1] = VERSION
  envelope[2] = kind
  envelope[3] = 0
  randomFillSync(envelope, 4, 8)
  envelope.writeDoubleBE(expiresAt, EXPIRY)
  envelope.writeDoubleBE(ttl, LIFETIME)
  envelope.set(bytes, HEADER_BYTES)
  envelope.writeUInt32BE(checksum(envelope), CHECKSUM)
  return envelope
}

function checksum (envelope: Buffer): number {
  return crc32(envelope.subarray(HEADER_BYTES), crc32(envelope.subarray(0, CHECKSUM)))
}
