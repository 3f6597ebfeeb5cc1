import { decode, encode } from './codec.js'
import { heapSize } from './heap-size.js'
import { deepFreeze, inspectValue, type ValueShape } from './value-shape.js'

/**
 * A value as the cache owns it. Each caller takes it out by `value()`: the frozen original where that can be
 * shared, a copy of the caller's own where it cannot, so that no caller ever sees another's change.
 */
export interface Entry {
  /** Bytes in memory, about. */
  readonly size: number
  value (): unknown
  /** The same, resolved. */
  promise (): Promise<unknown>
}

/** @returns the entry and its serialised form, or what in `value` cannot be kept */
export function entryOf (value: unknown): { readonly entry: Entry, readonly bytes: Uint8Array } | { readonly unsupported: string } {
  let shape: ValueShape
  let bytes: Uint8Array
  try {
    shape = inspectValue(value)
    if (typeof shape === 'object') return shape
    bytes = encode(value)
  } catch {
    // Proxies, memory that was given away, getters that throw. Not the error's message: it can quote the value.
    return { unsupported: 'a part that cannot be copied' }
  }
  return { bytes, entry: shape === 'plain' ? shared(decode(bytes), bytes.length) : copied(bytes) }
}

/** @throws on bytes that are not an entry's */
export function entryFrom (bytes: Uint8Array): Entry {
  const value = decode(bytes)
  // A copy: a reply of Redis is a slice of the socket's buffer, and would keep the whole of it alive.
  return inspectValue(value) === 'plain' ? shared(value, bytes.length) : copied(Uint8Array.from(bytes))
}

/** For one flight only: the loader's own value, which cannot be copied. */
export function uncopied (value: unknown): Entry {
  return new SharedEntry(value, 0)
}

function shared (value: unknown, serialised: number): Entry {
  return new SharedEntry(deepFreeze(value), Math.max(serialised, heapSize(value)))
}

function copied (bytes: Uint8Array): Entry {
  return new CopiedEntry(bytes)
}

class SharedEntry implements Entry {
  readonly size: number
  readonly #value: unknown
  #promise: Promise<unknown> | undefined

  constructor (value: unknown, size: number) {
    this.#value = value
    this.size = size
  }

  value (): unknown {
    return this.#value
  }

  // One promise for all callers: making one is a third of what a hit costs.
  promise (): Promise<unknown> {
    this.#promise ??= Promise.resolve(this.#value)
    return this.#promise
  }
}

class CopiedEntry implements Entry {
  readonly size: number
  readonly #bytes: Uint8Array

  constructor (bytes: Uint8Array) {
    this.#bytes = bytes
    this.size = bytes.length
  }

  value (): unknown {
    return decode(this.#bytes)
  }

  promise (): Promise<unknown> {
    return Promise.resolve(this.value())
  }
}
