import { isDeepStrictEqual, types } from 'node:util'

/**
 * What a value is made of:
 * - `json`: primitives, arrays and plain objects that JSON gives back exactly, each in one place only
 * - `plain`: these too, but JSON would change them: `undefined`, a BigInt, NaN, -0, Infinity, an array with holes or keys of its
 *   own, a part that stands in two places, a circle, a `toJSON`
 * - `rich`: Date, Map, Set, Buffer, typed arrays among them, which cannot be frozen and so are copied for every caller
 * - else what in it would not come back as it went in; named by its kind, because the keys that lead to it can be private
 *
 * As with structuredClone, an accessor is read and what it gives is kept, properties that are not enumerable are not, and
 * an object without a prototype (a row of some drivers) comes back with that of all objects, from the first call on.
 */
export type ValueShape = 'json' | 'plain' | 'rich' | { readonly unsupported: string }

/** Levels below the value itself. */
export const DEEPEST = 500

/** @param isDecoded whether JSON or structured clone made the value, so that nothing is in it that they leave out */
export function inspectValue (value: unknown, isDecoded = false): ValueShape {
  let shape: 'json' | 'plain' | 'rich' = 'json'
  // What is reached twice is looked at once: a graph with many shared parts has exponentially many paths.
  const seen = new Set<object>()
  const unsupported = visit(value, 0)
  return unsupported === undefined ? shape : { unsupported }

  function visit (part: unknown, depth: number): string | undefined {
    switch (typeof part) {
      case 'string': case 'boolean': return undefined
      case 'number': return Number.isFinite(part) && !Object.is(part, -0) ? undefined : plain()
      case 'undefined': case 'bigint': return plain()
      case 'object': return part === null ? undefined : visitObject(part, depth)
      default: return `a ${typeof part}`
    }
  }

  function visitObject (part: object, depth: number): string | undefined {
    if (seen.has(part)) return plain()
    if (depth > DEEPEST) return `a part more than ${DEEPEST} levels deep`
    seen.add(part)
    const prototype = Object.getPrototypeOf(part) as object | null
    const isObject = prototype === Object.prototype || prototype === null
    const isArray = prototype === Array.prototype && Array.isArray(part)
    if (!isObject && !isArray && !isBuiltIn(part, prototype)) return `an instance of ${nameOf(prototype)}`
    const lost = isDecoded ? undefined : lostInCopy(part)
    if (lost !== undefined) return lost
    if (isObject || isArray) {
      if ('toJSON' in part || (isArray && !isDense(part))) plain()
      return visitAll(Object.values(part), depth + 1)
    }
    shape = 'rich'
    if (types.isMap(part)) return visitAll([...part].flat(1), depth + 1)
    if (types.isSet(part)) return visitAll([...part], depth + 1)
    return undefined
  }

  function visitAll (parts: readonly unknown[], depth: number): string | undefined {
    for (const part of parts) {
      const unsupported = visit(part, depth)
      if (unsupported !== undefined) return unsupported
    }
    return undefined
  }

  function plain (): undefined {
    if (shape === 'json') shape = 'plain'
  }
}

/** Has no holes, and no keys but those of its items: integers come first, in order. */
function isDense (array: readonly unknown[]): boolean {
  const keys = Object.keys(array)
  return keys.length === array.length && (keys.length === 0 || keys.at(-1) === String(keys.length - 1))
}

/** Of the class, not of a property that the value has under that name. */
function nameOf (prototype: object): string {
  const { constructor } = prototype as { constructor?: unknown }
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'a class without a name'
}

/** By what it is as well as by its prototype: objects that were only given a built-in prototype come back empty. */
function isBuiltIn (part: object, prototype: object): boolean {
  switch (prototype) {
    case Date.prototype: return types.isDate(part)
    case Map.prototype: return types.isMap(part)
    case Set.prototype: return types.isSet(part)
    case ArrayBuffer.prototype: return types.isArrayBuffer(part)
    case DataView.prototype: return types.isDataView(part)
    case Buffer.prototype: return types.isUint8Array(part)
    // One of the typed arrays themselves and not a class made of them.
    default: return types.isTypedArray(part) && Object.getPrototypeOf(prototype) === TYPED_ARRAY
  }
}

const TYPED_ARRAY: unknown = Object.getPrototypeOf(Uint8Array.prototype)

/** What copies leave out without a word. */
function lostInCopy (part: object): string | undefined {
  // JSON would take one for what it stands for; structured clone refuses it.
  if (types.isProxy(part)) return 'a Proxy'
  const symbols = Object.getOwnPropertySymbols(part)
  if (symbols.some((symbol) => Object.prototype.propertyIsEnumerable.call(part, symbol))) return 'a symbol as a key'
  const prototype = Object.getPrototypeOf(part) as object | null
  if (prototype === null || prototype === Object.prototype || prototype === Array.prototype) return undefined
  return hasOwnKeys(part, prototype) ? `a property added to an instance of ${nameOf(prototype)}` : undefined
}

/** Beside its items. */
function hasOwnKeys (part: object, prototype: object): boolean {
  if (!types.isTypedArray(part)) return Object.keys(part).length > 0
  // To list a typed array's keys is to list its items. This compares its memory with itself, and then only the other keys.
  const bare = Buffer.isBuffer(part)
    ? Buffer.from(part.buffer, part.byteOffset, part.byteLength)
    : new (prototype.constructor as Uint8ArrayConstructor)(part.buffer as ArrayBuffer, part.byteOffset, part.length)
  return !isDeepStrictEqual(part, bare)
}
