import { serialize } from 'node:v8'
import { UnreadableBodyError } from './body.js'

/**
 * Looks through bytes in structured clone's format before V8 makes values of them. V8 keeps its own state sound on any bytes,
 * but takes what an array says of its length at its word: eleven bytes make 256 MB, two hundred a process that dies.
 * It also revives regular expressions, errors and boxed primitives, which no entry is made of.
 *
 * The format is a flat run of tokens, a tag and what belongs to it, so that this needs no stack:
 * https://chromium.googlesource.com/v8/v8/+/refs/heads/main/src/objects/value-serializer.cc
 *
 * @throws UnreadableBodyError
 */
export function checkTokens (bytes: Uint8Array): void {
  if (bytes[0] !== VERSION_TAG || bytes[1] !== VERSION) throw new UnreadableBodyError('Not of the version of structured clone that this Node writes.')
  let at = 2
  // Each item takes a byte or more, but for holes.
  let slots = bytes.length + HOLES
  while (at < bytes.length) {
    const tag = bytes[at++]!
    const layout = LAYOUTS[tag]
    if (layout === undefined) throw new UnreadableBodyError(`A token that no entry is made of: ${tag}.`)
    switch (layout) {
      case Layout.bare: break
      case Layout.double: skip(8); break
      case Layout.one: varint(); break
      case Layout.two: varint(); varint(); break
      case Layout.array: slots -= varint(); break
      case Layout.bytes: skip(varint()); break
      case Layout.bigint: skip(varint() >>> 1); break
      case Layout.view: varint(); skip(varint()); break
    }
    if (slots < 0) throw new UnreadableBodyError(`Arrays with more than ${HOLES} holes.`)
  }
  // V8 finds out by itself where the bytes end too early.

  function skip (length: number): void {
    at += length
  }

  /** Seven bits a byte, the lowest first, up to 32: what is over is lost, as in V8, or the two would not see the same tokens. */
  function varint (): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++] ?? 0
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new UnreadableBodyError('A number of more than five bytes.')
  }
}

/** Holes of all arrays together. */
const HOLES = 10_000

const [VERSION_TAG, VERSION] = serialize(undefined)

/** What follows a tag. */
const Layout = {
  bare: 0,
  double: 1,
  /** A number. */
  one: 2,
  two: 3,
  /** The length of an array. */
  array: 4,
  /** A length, and as many bytes. */
  bytes: 5,
  /** Twice a length, plus the sign, and as many bytes. */
  bigint: 6,
  /** What Node adds: the kind of a view, a length, and as many bytes. */
  view: 7
} as const

const LAYOUTS: Array<number | undefined> = Array<undefined>(256).fill(undefined)
for (const [tags, layout] of [
  ['\0-_0TFo;\'', Layout.bare], // padding, hole, undefined, null, true, false; the beginnings of an object, a Map, a Set
  ['ND', Layout.double], // number, Date
  ['IU^{:,', Layout.one], // integers, part seen before; the ends of an object, a Map, a Set
  ['$@', Layout.two], // the ends of an array, dense or with holes
  ['Aa', Layout.array], // their beginnings
  ['"cSB', Layout.bytes], // strings in Latin-1, UTF-16, UTF-8; ArrayBuffer
  ['Z', Layout.bigint],
  ['\\', Layout.view]
] as const) for (const tag of tags) LAYOUTS[tag.charCodeAt(0)] = layout
