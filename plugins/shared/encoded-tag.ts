import type { EntityTag } from './entity-tag.js'

/**
 * A content coding changes the bytes, and what has other bytes has another strong tag (RFC 9110 §8.8.3.3): the coding is
 * appended, so that the tag of what was encoded can be told from it.
 */
const SUFFIX = /:(?:br|gzip|deflate|zstd)(?:-low)?$/

/** @param coding as it stands in the suffix, empty for none */
export function encodedTag ({ weak, opaque }: EntityTag, coding: string): EntityTag {
  return { weak, opaque: coding === '' ? opaque : `${opaque}:${coding}` }
}

/** What a tag was made of. */
export function splitTag (opaque: string): { base: string, coding: string } {
  const suffix = SUFFIX.exec(opaque)?.[0] ?? ''
  return { base: opaque.slice(0, opaque.length - suffix.length), coding: suffix.slice(1) }
}

/** Whether a tag that would be the tag of encoded bytes can be told from one that is not. */
export function looksEncoded (opaque: string): boolean {
  return SUFFIX.test(opaque)
}
