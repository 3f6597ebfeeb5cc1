/**
 * What a value is made of:
 * - `plain`: primitives, arrays and plain objects, which can be frozen and shared between callers
 * - `rich`: Date, Map, Set, Buffer, typed arrays among them, which cannot be frozen and so are copied for every caller
 * - else the path of the first thing that would not come back as it went in
 */
export type ValueShape = 'plain' | 'rich' | { readonly unsupported: string }

const DEEPEST = 200

export function inspectValue (value: unknown): ValueShape {
  let rich = false
  const unsupported = visit(value, 'value', 0)
  if (unsupported !== undefined) return { unsupported }
  return rich ? 'rich' : 'plain'

  function visit (part: unknown, path: string, depth: number): string | undefined {
    if (typeof part === 'function' || typeof part === 'symbol') return `${path} (a ${typeof part})`
    if (typeof part !== 'object' || part === null) return undefined
    if (depth > DEEPEST) return `${path} (deeper than ${DEEPEST} levels, or circular)`
    if (Array.isArray(part)) return firstOf(part, (item, index) => visit(item, `${path}[${index}]`, depth + 1))
    const prototype: unknown = Object.getPrototypeOf(part)
    if (prototype === Object.prototype || prototype === null) {
      return firstOf(Object.entries(part), ([key, item]) => visit(item, `${path}.${key}`, depth + 1))
    }
    rich = true
    if (part instanceof Map) return firstOf([...part], ([key, item]) => visit(key, `${path} (a Map's key)`, depth + 1) ?? visit(item, `${path} (a Map's value)`, depth + 1))
    if (part instanceof Set) return firstOf([...part], (item) => visit(item, `${path} (a Set's item)`, depth + 1))
    if (prototype === Date.prototype || part instanceof ArrayBuffer || (ArrayBuffer.isView(part) && isBuiltIn(prototype))) return undefined
    return `${path} (an instance of ${String(part.constructor?.name)})`
  }
}

/** Freezes a `plain` value in depth. */
export function deepFreeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const part of Object.values(value)) deepFreeze(part)
  }
  return value
}

function isBuiltIn (prototype: unknown): boolean {
  return prototype === Buffer.prototype || Object.getPrototypeOf(prototype) === Object.getPrototypeOf(Uint8Array.prototype)
}

function firstOf<T> (items: readonly T[], find: (item: T, index: number) => string | undefined): string | undefined {
  for (let index = 0; index < items.length; index++) {
    const found = find(items[index]!, index)
    if (found !== undefined) return found
  }
  return undefined
}
