import { DefaultDeserializer, serialize } from 'node:v8'

/**
 * Structured clone's own format: it keeps Date, Map, Set, BigInt, Buffer, typed arrays, undefined, NaN and -0, defines
 * keys rather than assigning them, so `__proto__` is a key like any other, and revives no class. A version of it that
 * this Node does not know throws.
 *
 * @param value of a shape that `inspectValue` accepts
 */
export function encode (value: unknown): Buffer {
  return serialize(value)
}

/** @throws on bytes that are not what `encode` makes */
export function decode (bytes: Uint8Array): unknown {
  const deserializer = new OwningDeserializer(bytes)
  deserializer.readHeader()
  return deserializer.readValue()
}

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
