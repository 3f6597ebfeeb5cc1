import { randomFillSync } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Held, TagGeneration } from './tier.js'

/**
 * What stands in Redis under a key: a header, the tags, then the value's bytes. Numbers are big-endian, where nothing else is said.
 *
 * | offset | length | what |
 * |---|---|---|
 * | 0 | 1 | magic, 0x48 |
 * | 1 | 1 | version of this layout |
 * | 2 | 1 | kind: 0 a value, 1 a tombstone |
 * | 3 | 1 | zero |
 * | 4 | 8 | token, random, new with every write |
 * | 12 | 8 | end of freshness, wall-clock milliseconds, float64 |
 * | 20 | 8 | time of freshness when written, milliseconds, float64 |
 * | 28 | 8 | time after that for which it is kept, stale, milliseconds, float64 |
 * | 36 | 4 | time that its load took, milliseconds, float32 |
 * | 40 | 4 | length of the tags |
 * | 44 | … | the tags: each its length in two bytes, its UTF-8, then 11 characters of its generation |
 * | … | … | the value's bytes (none in a tombstone) |
 * | … | 4 | CRC-32 of all the bytes before it, little-endian: so that of the whole is always the same |
 *
 * The first twelve bytes are the state's stamp: whoever read them can later ask Redis to write only if they are still there.
 *
 * While a release is rolled out, or back, two versions stand side by side in one Redis. What is promised for all later ones: the
 * first twelve bytes, of which any release writes only behind those that it has read; that a tombstone is of kind 1; and the
 * checksum at the end, by which a release knows a value of a later version from one that is damaged. A later version can be read
 * by its own release and those after it, which read the earlier ones too; all others leave it where it stands.
 */
export const STAMP_BYTES = 12
const FRESH_UNTIL = 12
const FRESH_FOR = 20
const STALE_FOR = 28
const LOAD_TIME = 36
const TAGS_LENGTH = 40
const HEADER_BYTES = 44
const CHECKSUM_BYTES = 4
const MAGIC = 0x48
const VERSION = 2
const VALUE = 0
const TOMBSTONE = 1

/** Characters of a tag's generation: 64 random bits in base64url. */
export const GENERATION_LENGTH = 11

/** The longest tag, in bytes of UTF-8. */
export const LONGEST_TAG = 1_024

/** @param now the writer's wall clock, milliseconds */
export function sealValue (held: Held<Uint8Array>, now: number): Buffer {
  return seal(VALUE, held, now)
}

/** Left behind by a delete, so that a load that began before it cannot write its older value. */
export function sealTombstone (): Buffer {
  return seal(TOMBSTONE, NOTHING, 0)
}

const NOTHING: Held<Uint8Array> = { value: new Uint8Array(), freshUntil: 0, keptUntil: 0, loadTime: 0, tags: [] }

export type Opened =
  | { readonly kind: 'value', readonly held: Held<Buffer> }
  | { readonly kind: 'tombstone' }
  /** Not ours, damaged, or of an earlier version: to be treated as a miss, and to be overwritten. */
  | { readonly kind: 'unreadable' }
  /** Of a later version: a miss, but the releases that can read it are to find it again. Were it overwritten, it would be by both for ever. */
  | { readonly kind: 'newer' }

/** The CRC-32 of whatever ends in its own. */
const RESIDUE = 0x2144df1c

const UNREADABLE: Opened = { kind: 'unreadable' }

/**
 * @param now the reader's wall clock, milliseconds
 * @returns times by the reader's clock: not later than the writer said, and not longer from now on than it meant
 */
export function open (envelope: Buffer, now: number): Opened {
  const end = envelope.length - CHECKSUM_BYTES
  const version = envelope[1] ?? 0
  if (end < (version === VERSION ? HEADER_BYTES : STAMP_BYTES) || envelope[0] !== MAGIC || version < VERSION) return UNREADABLE
  // A flipped bit in a text is another text: only a checksum tells.
  if (crc32(envelope) !== RESIDUE) return UNREADABLE
  // Of whatever version: nothing is lost by writing over it.
  if (envelope[2] === TOMBSTONE) return { kind: 'tombstone' }
  if (version > VERSION) return { kind: 'newer' }
  const freshUntil = Math.min(envelope.readDoubleBE(FRESH_UNTIL), now + envelope.readDoubleBE(FRESH_FOR))
  const keptUntil = freshUntil + envelope.readDoubleBE(STALE_FOR)
  const loadTime = envelope.readFloatBE(LOAD_TIME)
  const bodyAt = HEADER_BYTES + envelope.readUInt32BE(TAGS_LENGTH)
  if (envelope[2] !== VALUE || !Number.isFinite(keptUntil) || !Number.isFinite(loadTime) || bodyAt > end) return UNREADABLE
  const tags = tagsOf(envelope, bodyAt)
  if (tags === undefined) return UNREADABLE
  return { kind: 'value', held: { value: envelope.subarray(bodyAt, end), freshUntil, keptUntil, loadTime, tags } }
}

export function stampOf (envelope: Buffer | null): Buffer {
  return envelope === null ? ABSENT : envelope.subarray(0, STAMP_BYTES)
}

/** The stamp of a key that is not there. */
export const ABSENT = Buffer.alloc(0)

/** For a script: the stamp of what stands under a key. What is of another type than values are gives way, as if nothing stood there. */
export const STAMP_AT = `
  local function stampAt (key)
    local stamp = redis.pcall('GETRANGE', key, 0, ${STAMP_BYTES - 1})
    return type(stamp) == 'string' and stamp or ''
  end
`

function seal (kind: number, { value, freshUntil, keptUntil, loadTime, tags }: Held<Uint8Array>, now: number): Buffer {
  const sealedTags = sealTags(tags)
  const end = HEADER_BYTES + sealedTags.length + value.length
  const envelope = Buffer.allocUnsafe(end + CHECKSUM_BYTES)
  envelope[0] = MAGIC
  envelope[1] = VERSION
  envelope[2] = kind
  envelope[3] = 0
  randomFillSync(envelope, 4, 8)
  envelope.writeDoubleBE(freshUntil, FRESH_UNTIL)
  envelope.writeDoubleBE(freshUntil - now, FRESH_FOR)
  envelope.writeDoubleBE(keptUntil - freshUntil, STALE_FOR)
  envelope.writeFloatBE(loadTime, LOAD_TIME)
  envelope.writeUInt32BE(sealedTags.length, TAGS_LENGTH)
  envelope.set(sealedTags, HEADER_BYTES)
  envelope.set(value, HEADER_BYTES + sealedTags.length)
  envelope.writeUInt32LE(crc32(envelope.subarray(0, end)), end)
  return envelope
}

function sealTags (tags: readonly TagGeneration[]): Buffer {
  return Buffer.concat(tags.flatMap(({ tag, generation }) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(Buffer.byteLength(tag))
    return [length, Buffer.from(tag), Buffer.from(generation, 'latin1')]
  }))
}

let last: { readonly bytes: Buffer, readonly tags: TagGeneration[] | undefined } = { bytes: Buffer.alloc(0), tags: [] }

/** Mostly the same as of the envelope before. */
function tagsOf (envelope: Buffer, end: number): readonly TagGeneration[] | undefined {
  if (last.bytes.length !== end - HEADER_BYTES || envelope.compare(last.bytes, 0, last.bytes.length, HEADER_BYTES, end) !== 0) {
    last = { bytes: Buffer.from(envelope.subarray(HEADER_BYTES, end)), tags: openTags(envelope, end) }
  }
  return last.tags
}

function openTags (envelope: Buffer, end: number): TagGeneration[] | undefined {
  const tags: TagGeneration[] = []
  for (let at = HEADER_BYTES; at < end;) {
    if (at + 2 > end) return undefined
    const generationAt = at + 2 + envelope.readUInt16BE(at)
    const next = generationAt + GENERATION_LENGTH
    if (next > end) return undefined
    tags.push({ tag: envelope.toString('utf8', at + 2, generationAt), generation: envelope.toString('latin1', generationAt, next) })
    at = next
  }
  return tags
}
