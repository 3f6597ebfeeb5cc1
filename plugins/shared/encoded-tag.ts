/**
 * A content coding changes the bytes, and what has other bytes has another strong tag (RFC 9110 §8.8.3.3): the coding is
 * appended, so that the tag of what was encoded can be told from it.
 */
const SUFFIX = /:(?:br|gzip|deflate|zstd)(?:-low)?$/

/**
 * @param field an entity tag; of what is none, nothing is made
 * @param coding as it stands in the suffix
 */
export function encodedTag (field: string, coding: string, isWeak = false): string {
  if (field.length < 2 || !field.endsWith('"')) return field
  return `${isWeak && field.startsWith('"') ? 'W/' : ''}${field.slice(0, -1)}:${coding}"`
}

/** What a tag was made of. */
export function splitTag (opaque: string): { base: string, coding: string } {
  const suffix = SUFFIX.exec(opaque)?.[0] ?? ''
  return { base: opaque.slice(0, opaque.length - suffix.length), coding: suffix.slice(1) }
}
