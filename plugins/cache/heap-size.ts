const OBJECT = 56
const ARRAY = 32
const SLOT = 8
const STRING = 16

/**
 * Bytes that a `plain` value takes on the heap, about, from above: many small objects take many times what they take
 * serialised. Parts that are reached twice count once.
 */
export function heapSize (value: unknown): number {
  const seen = new Set<object>()
  return visit(value)

  function visit (part: unknown): number {
    if (typeof part === 'string') return STRING + 2 * part.length
    if (typeof part === 'bigint') return STRING + part.toString(16).length
    if (typeof part === 'number') return STRING
    if (typeof part !== 'object' || part === null || seen.has(part)) return 0
    seen.add(part)
    const items = Object.values(part)
    return items.reduce<number>((sum, item) => sum + SLOT + visit(item), Array.isArray(part) ? ARRAY : OBJECT)
  }
}
