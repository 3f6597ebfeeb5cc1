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
 * | 20 | 4 | CRC-32 of all the other bytes, big-endian |
 * | 24 | … | the entry's bytes (none in a tombstone) |
 *
 * The first twelve bytes are the state's stamp: whoever read them can later ask Redis to write only if they are still there.
 */
export const STAMP_BYTES = 12
const CHECKSUM = 20
const HEADER_BYTES = 24
const MAGIC = 0x48
const VERSION = 1
const VALUE = 0
const TOMBSTONE = 1

export function sealValue (bytes: Uint8Array, expiresAt: number): Buffer {
  return seal(VALUE, bytes, expiresAt)
}

/** Left behind by a delete, so that a load that began before it cannot write its older value. */
export function sealTombstone (): Buffer {
  return seal(TOMBSTONE, new Uint8Array(), 0)
}

export type Opened =
  | { readonly kind: 'value', readonly bytes: Buffer, readonly expiresAt: number }
  | { readonly kind: 'tombstone' }
  /** Not ours, damaged, or of another version: to be treated as a miss. */
  | { readonly kind: 'unreadable' }

export function open (envelope: Buffer): Opened {
  if (envelope.length < HEADER_BYTES || envelope[0] !== MAGIC || envelope[1] !== VERSION) return { kind: 'unreadable' }
  // A flipped bit in a text is another text: only a checksum tells.
  if (envelope.readUInt32BE(CHECKSUM) !== checksum(envelope)) return { kind: 'unreadable' }
  if (envelope[2] === TOMBSTONE) return { kind: 'tombstone' }
  const expiresAt = envelope.readDoubleBE(STAMP_BYTES)
  if (envelope[2] !== VALUE || !Number.isFinite(expiresAt)) return { kind: 'unreadable' }
  return { kind: 'value', bytes: envelope.subarray(HEADER_BYTES), expiresAt }
}

export function stampOf (envelope: Buffer | null): Buffer {
  return envelope === null ? ABSENT : envelope.subarray(0, STAMP_BYTES)
}

/** The stamp of a key that is not there. */
export const ABSENT = Buffer.alloc(0)

function seal (kind: number, bytes: Uint8Array, expiresAt: number): Buffer {
  const envelope = Buffer.allocUnsafe(HEADER_BYTES + bytes.length)
  envelope[0] = MAGIC
  envelope[1] = VERSION
  envelope[2] = kind
  envelope[3] = 0
  randomFillSync(envelope, 4, 8)
  envelope.writeDoubleBE(expiresAt, STAMP_BYTES)
  envelope.set(bytes, HEADER_BYTES)
  envelope.writeUInt32BE(checksum(envelope), CHECKSUM)
  return envelope
}

function checksum (envelope: Buffer): number {
  return crc32(envelope.subarray(HEADER_BYTES), crc32(envelope.subarray(0, CHECKSUM)))
}
