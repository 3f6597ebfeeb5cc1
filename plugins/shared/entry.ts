import { UnreadableBodyError } from './body.js'
import { decodeStructured, encodeJson, encodeStructured, formatOf } from './codec.js'
import { charactersSize, freezeGraph, freezeTree } from './heap-size.js'
import { inspectValue } from './value-shape.js'

/**
 * A value as the cache owns it. Each caller takes it out by `value()`: the frozen original where that can be
 * shared, a copy of the caller's own where it cannot, so that no caller ever sees another's change.
 */
export interface Entry {
  /** Bytes in memory, about. */
  readonly size: number
  value (): unknown
  /** Whether all callers have one and the same. */
  readonly isShared: boolean
  /** A copy of the caller's own, whatever the value is made of. */
  copy (): unknown
}

interface Unsupported {
  readonly unsupported: string
}

/** @returns the entry and its body (see body.ts), or what in `value` cannot be kept */
export function entryOf (value: unknown): { readonly entry: Entry, readonly bytes: Uint8Array } | Unsupported {
  return unlessThrown(() => {
    const body = encoded(value)
    if ('unsupported' in body) return body
    const { bytes, text, isRich } = body
    if (text !== undefined) return { bytes, entry: sharedTree(JSON.parse(text), text, bytes) }
    return { bytes, entry: isRich ? new CopiedEntry(bytes.subarray(1)) : entryFrom(bytes) }
  })
}

/** As `entryOf`, for what goes elsewhere: its body alone. */
export function bodyOf (value: unknown): { readonly bytes: Uint8Array } | Unsupported {
  return unlessThrown(() => encoded(value))
}

function encoded (value: unknown): { readonly bytes: Uint8Array, readonly text?: string, readonly isRich: boolean } | Unsupported {
  const shape = inspectValue(value)
  if (typeof shape === 'object') return shape
  if (shape !== 'json') return { bytes: encodeStructured(value), isRich: shape === 'rich' }
  const text = JSON.stringify(value)
  return { bytes: encodeJson(text), text, isRich: false }
}

function unlessThrown<T> (make: () => T | Unsupported): T | Unsupported {
  try {
    return make()
  } catch {
    // Memory that was given away, getters that throw. Not the error's message: it can quote the value.
    return { unsupported: 'a part that cannot be copied' }
  }
}

/** @throws on bytes that are not the body of an entry; not to be logged, since JSON.parse's errors quote the text */
export function entryFrom (body: Uint8Array): Entry {
  const format = formatOf(body)
  if ('json' in format) {
    return sharedTree(JSON.parse(format.json), format.json, body)
  }
  const { value, isRich } = inspected(decodeStructured(format.structured))
  if (isRich) return new CopiedEntry(format.structured, value)
  return new SharedEntry(value, freezeGraph(value) + format.structured.length)
}

/** For one flight only: the loader's own value, which cannot be copied. */
export function uncopied (value: unknown): Entry {
  return new UncopiedEntry(value, 0)
}

function sharedTree (value: unknown, text: string, body: Uint8Array): Entry {
  return new SharedEntry(value, freezeTree(value) + charactersSize(text, body.length - 1))
}

/** A body can be of what no entry is made of: parts too deep, objects that are not what their prototype says. */
function inspected (value: unknown): { readonly value: unknown, readonly isRich: boolean } {
  const shape = inspectValue(value, true)
  if (typeof shape === 'object') throw new UnreadableBodyError(`A body with ${shape.unsupported} in it.`)
  return { value, isRich: shape === 'rich' }
}

class SharedEntry implements Entry {
  readonly size: number
  readonly isShared = true
  readonly #value: unknown

  constructor (value: unknown, size: number) {
    this.#value = value
    this.size = size
  }

  value (): unknown {
    return this.#value
  }

  copy (): unknown {
    return structuredClone(this.#value)
  }
}

class UncopiedEntry extends SharedEntry {
  override copy (): unknown {
    return this.value()
  }
}

class CopiedEntry implements Entry {
  readonly size: number
  readonly isShared = false
  /** In structured clone's format. */
  readonly #source: Uint8Array
  #first: unknown

  /** @param first a copy that was made to see that it can be, for the first caller to have */
  constructor (source: Uint8Array, first?: unknown) {
    // Memory of its own: a reply of Redis is a slice of the socket's buffer, and would keep the whole of it alive.
    this.#source = new Uint8Array(source)
    this.#first = first
    this.size = MEMORY + source.length
  }

  value (): unknown {
    const first = this.#first
    this.#first = undefined
    return first === undefined ? decodeStructured(this.#source) : first
  }

  copy (): unknown {
    return this.value()
  }
}

/** Measured: the view, the ArrayBuffer, and V8's record of its memory. */
const MEMORY = 200
