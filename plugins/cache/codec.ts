import { deserialize, serialize } from 'node:v8'

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
  // A copy: binary parts of the value are views into the bytes they are read from, and their new owner may write to them.
  return deserialize(Buffer.from(bytes))
}
