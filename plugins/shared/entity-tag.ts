/** RFC 9110 §8.8.3. */
export interface EntityTag {
  readonly weak: boolean
  /** What stands between the quotes. */
  readonly opaque: string
}

/** `etagc` of RFC 9110 §8.8.3: no control character, no space, no quote. */
const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/y
const BETWEEN = /[ \t]*(,[ \t]*)*/y

/**
 * Reads If-Match or If-None-Match.
 *
 * @returns undefined for what cannot be read as a whole
 */
export function parseEntityTags (field: string): '*' | EntityTag[] | undefined {
  if (field.trim() === '*') return '*'
  const tags: EntityTag[] = []
  let at = skip(field, 0)
  while (at < field.length) {
    TAG.lastIndex = at
    const match = TAG.exec(field)
    if (match === null) return undefined
    tags.push({ weak: match[1] !== undefined, opaque: match[2]! })
    at = skip(field, TAG.lastIndex)
  }
  return tags.length > 0 ? tags : undefined
}

/** @returns undefined for what is no entity tag */
export function parseEntityTag (field: unknown): EntityTag | undefined {
  if (typeof field !== 'string') return undefined
  TAG.lastIndex = 0
  const match = TAG.exec(field)
  return match === null || TAG.lastIndex !== field.length ? undefined : { weak: match[1] !== undefined, opaque: match[2]! }
}

export function formatEntityTag ({ weak, opaque }: EntityTag): string {
  return weak ? `W/"${opaque}"` : `"${opaque}"`
}

function skip (field: string, at: number): number {
  BETWEEN.lastIndex = at
  BETWEEN.exec(field)
  return BETWEEN.lastIndex
}
