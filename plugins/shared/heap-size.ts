import { DEEPEST } from './value-shape.js'

/*
 * Freezing a value that was just decoded in depth, and weighing it, in one walk: looking at each part is by far the most
 * of what an entry adds to JSON.parse. What is returned are bytes on the heap, about, from above: many small objects
 * take many times what they take serialised. The characters of strings and the digits of BigInts are not among them,
 * since they take no more than `charactersSize` of the bytes.
 */

const OBJECT = 56
const ARRAY = 32
/** Of a part in its place: the pointer, and what a number takes, or a string or a BigInt beside its characters or digits. */
const PART = 24

/**
 * @param part as JSON.parse gives it: each part in one place only, and arrays without holes
 * @throws RangeError on a part more than `DEEPEST` levels deep
 */
export function freezeTree (part: unknown, depth = 0): number {
  if (typeof part !== 'object' || part === null) return 0
  if (depth > DEEPEST) throw new RangeError(`A part more than ${DEEPEST} levels deep.`)
  let size: number
  if (Array.isArray(part)) {
    size = ARRAY + PART * part.length
    for (const item of part) if (typeof item === 'object') size += freezeTree(item, depth + 1)
  } else {
    size = OBJECT
    // Faster than Object.keys and Object.values, by a tenth of JSON.parse. The check of ownership is for what somebody put
    // on Object.prototype.
    for (const key in part) {
      const item: unknown = (part as Record<string, unknown>)[key]
      size += PART
      if (typeof item === 'object' && Object.hasOwn(part, key)) size += freezeTree(item, depth + 1)
    }
  }
  // After its parts: walking what is frozen already takes longer.
  Object.freeze(part)
  return size
}

/** @param part of a shape that `inspectValue` calls `json` or `plain`, not frozen */
export function freezeGraph (part: unknown): number {
  // So circles come to an end, and what is reached twice weighs once.
  if (typeof part !== 'object' || part === null || Object.isFrozen(part)) return 0
  Object.freeze(part)
  // Of an array only what is there: a few bytes can make one with four thousand million holes.
  const items = Object.values(part)
  return items.reduce<number>((size, item) => size + PART + freezeGraph(item), Array.isArray(part) ? ARRAY : OBJECT)
}

/**
 * @param encodedBytes what the text takes in UTF-8
 * @returns bytes on the heap, at most, of all its characters: V8 takes one for a character where all of a string are Latin
 */
export function charactersSize (text: string, encodedBytes: number): number {
  return text.length === encodedBytes ? text.length : 2 * text.length
}
