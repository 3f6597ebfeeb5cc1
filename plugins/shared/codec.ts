import { DefaultDeserializer, DefaultSerializer } from 'node:v8'
import { ASCII_BODY, JSON_BODY, STRUCTURED_BODY, UnreadableBodyError } from './body.js'
import { checkTokens } from './structured-tokens.js'

/**
 * JSON, for the values that `inspectValue` calls `json`: to parse it takes three fifths of the time that structured
 * clone's format takes, and it cannot make anything but primitives, arrays and plain objects, each in one place.
 * JSON.parse defines keys rather than assigning them, so `__proto__` is a key like any other; JSON.stringify escapes lone
 * surrogates, so they survive UTF-8.
 */
export function encodeJson (text: string): Buffer {
  const length = Buffer.byteLength(text)
  const body = Buffer.allocUnsafe(1 + length)
  const isAscii = length === text.length
  body[0] = isAscii ? ASCII_BODY : JSON_BODY
  body.write(text, 1, isAscii ? 'latin1' : 'utf8')
  return body
}

/**
 * Structured clone's own format, for all other values: it keeps Date, Map, Set, BigInt, Buffer, typed arrays, undefined,
 * NaN, -0, holes, circles and parts that stand in several places, and revives no class of the app's.
 *
 * @throws on what it cannot keep, and where it could not be read again
 */
export function encodeStructured (value: unknown): Buffer {
  const serializer = new DefaultSerializer()
  serializer.writeRawBytes(PREFIX)
  serializer.writeHeader()
  serializer.writeValue(value)
  const body = serializer.releaseBuffer()
  checkTokens(body.subarray(1))
  return body
}

export type Decoded =
  | { readonly json: string }
  | { readonly structured: Uint8Array }

/**
 * @returns what follows the byte that says the format; structured clone's checked
 * @throws UnreadableBodyError
 */
export function formatOf (body: Uint8Array): Decoded {
  switch (body[0]) {
    case ASCII_BODY: return { json: asBuffer(body).toString('latin1', 1) }
    case JSON_BODY: return { json: asBuffer(body).toString('utf8', 1) }
    case STRUCTURED_BODY: {
      const structured = body.subarray(1)
      checkTokens(structured)
      return { structured }
    }
    default: throw new UnreadableBodyError('Not a body of a format that is known.')
  }
}

/** @param bytes that `checkTokens` has passed, or the process can be made to run out of memory */
export function decodeStructured (bytes: Uint8Array): unknown {
  const deserializer = new OwningDeserializer(bytes)
  deserializer.readHeader()
  return deserializer.readValue()
}

const PREFIX = Uint8Array.of(STRUCTURED_BODY)

/** Node documents the method for overriding; its types leave it out. */
const OverridableDeserializer = DefaultDeserializer as unknown as
  new (bytes: Uint8Array) => InstanceType<typeof DefaultDeserializer> & { _readHostObject (): NodeJS.ArrayBufferView }

/** Gives each binary part memory of its own: Node's are views into the bytes that are read, and into whatever lies beside them. */
class OwningDeserializer extends OverridableDeserializer {
  override _readHostObject (): NodeJS.ArrayBufferView {
    const view = super._readHostObject()
    const own = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer
    if (Buffer.isBuffer(view)) return Buffer.from(own)
    return new (view.constructor as new (memory: ArrayBuffer) => NodeJS.ArrayBufferView)(own)
  }
}

function asBuffer (bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
