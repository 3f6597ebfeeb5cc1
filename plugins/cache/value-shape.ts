/**
 * What a value is made of:
 * - `plain`: primitives, arrays and plain objects, which can be frozen and shared between callers
 * - `rich`: Date, Map, Set, Buffer, typed arrays among them, which cannot be frozen and so are copied for every caller
 * - else what in it would not come back as it went in; named by its kind, because the keys that lead to it can be private
 */
export type ValueShape = 'plain' | 'rich' | { readonly unsupported: string }

const DEEPEST = 500

export function inspectValue (value: unknown): ValueShape {
  let rich = false
  // What is reached twice is looked at once: a graph with many shared parts has exponentially many paths.
  const seen = new Set<object>()
  const unsupported = visit(value, 0)
  if (unsupported !== undefined) return { unsupported }
  return rich ? 'rich' : 'plain'

  function visit (part: unknown, depth: number): string | undefined {
    if (typeof part === 'function' || typeof part === 'symbol') return `a ${typeof part}`
    if (typeof part !== 'object' || part === null || seen.has(part)) return undefined
    if (depth > DEEPEST) return `a part more than ${DEEPEST} levels deep`
    seen.add(part)
    const prototype: unknown = Object.getPrototypeOf(part)
    if (prototype === Array.prototype || prototype === Object.prototype || prototype === null) {
      return firstOf(Object.values(part), (item) => visit(item, depth + 1))
    }
    rich = true
    if (prototype === Map.prototype) return firstOf([...part as Map<unknown, unknown>].flat(1), (item) => visit(item, depth + 1))
    if (prototype === Set.prototype) return firstOf([...part as Set<unknown>], (item) => visit(item, depth + 1))
    return isDateOrBinary(part, prototype) ? undefined : `an instance of ${nameOf(prototype)}`
  }
}

/** Freezes a `plain` value in depth. */
export function deepFreeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) deepFreeze(part)
  }
  return value
}

/** Of the class, not of a property that the value has under that name. */
function nameOf (prototype: unknown): string {
  const { constructor } = prototype as { constructor?: unknown }
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'a class without a name'
}

function isDateOrBinary (part: object, prototype: unknown): boolean {
  if (prototype === Date.prototype || prototype === Buffer.prototype || prototype === ArrayBuffer.prototype) return true
  // DataView, or one of the typed arrays themselves and not a class made of them.
  return ArrayBuffer.isView(part) && (prototype === DataView.prototype || Object.getPrototypeOf(prototype) === TYPED_ARRAY)
}

const TYPED_ARRAY: unknown = Object.getPrototypeOf(Uint8Array.prototype)

function firstOf (items: readonly unknown[], find: (item: unknown) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
