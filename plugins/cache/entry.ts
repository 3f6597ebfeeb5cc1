import { decode, encode } from './codec.js'
import { deepFreeze, inspectValue } from './value-shape.js'

/**
 * A value as the cache owns it. Each caller takes it out by `value()`: the frozen original where that can be
 * shared, a copy of the caller's own where it cannot, so that no caller ever sees another's change.
 */
export interface Entry {
  readonly bytes: Uint8Array
  value (): unknown
}

/** @returns the entry, or the path of what in `value` cannot be kept */
export function entryOf (value: unknown): Entry | { readonly unsupported: string } {
  const shape = inspectValue(value)
  if (typeof shape === 'object') return shape
  const bytes = encode(value)
  return shape === 'plain' ? shared(bytes, deepFreeze(decode(bytes))) : copied(bytes)
}

/** @throws on bytes that are not an entry's */
export function entryFrom (bytes: Uint8Array): Entry {
  const value = decode(bytes)
  return inspectValue(value) === 'plain' ? shared(bytes, deepFreeze(value)) : copied(bytes)
}

function shared (bytes: Uint8Array, value: unknown): Entry {
  return { bytes, value: () => value }
}

function copied (bytes: Uint8Array): Entry {
  return { bytes, value: () => decode(bytes) }
}
