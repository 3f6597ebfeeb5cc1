import { promisify } from 'node:util'
import { deflateRaw, inflateRaw } from 'node:zlib'

/**
 * A body is a value as bytes. Its first byte says what follows:
 *
 * | first byte | what follows |
 * |---|---|
 * | 1 | JSON, UTF-8 |
 * | 2 | structured clone's format, as `node:v8` writes it |
 * | 3 | four bytes, big-endian: the length of a body of the other kinds; then that body, deflated (RFC 1951) |
 * | 4 | JSON, all of it ASCII, which is read in half the time |
 *
 * Any other first byte is another's, or a later version's.
 */
export const JSON_BODY = 1
export const STRUCTURED_BODY = 2
const DEFLATED_BODY = 3
export const ASCII_BODY = 4

/**
 * Bytes. Up to here it does not pay: at 10 KB handing the work to the thread pool and back takes the event loop three
 * times as long as JSON.parse takes for the value, at 50 KB as long, at 100 KB half as long; and a network of
 * 1 Gbit/s carries what would be saved of 10 KB in less time than inflating takes, of 50 KB and more in longer.
 */
export const COMPRESS_ABOVE = 65_536

/** Less than a tenth saved is not worth the inflating of every read. */
const WORTHWHILE = 0.9

/**
 * Of the levels 1, 3 and 6 the first: the others save two to five parts in a hundred for up to twice the time. Not
 * Brotli: its quality 1 writes in half the time but takes 1.2 to 2 times as long to read, which is done more often, and
 * in windows of up to 16 MB that the bytes ask for, where deflate's are 32 KB.
 */
const LEVEL = 1

const PREFIX_BYTES = 5

/** What deflate makes of one byte, at most: a match of 258 bytes takes two bits. */
const MOST_FROM_A_BYTE = 1_032

// What zlib takes for the least.
const SMALLEST_CHUNK = 64

const deflate = promisify(deflateRaw)
const inflate = promisify(inflateRaw)

/** These bytes are no body that can be read. Says nothing of what is in them, which can be private. */
export class UnreadableBodyError extends Error {
  override readonly name = 'UnreadableBodyError'
}

/**
 * @param threshold bytes; a longer body is compressed, in the thread pool, where that saves a tenth
 * @returns the body itself where nothing is compressed, at once if it is not longer than the threshold
 */
export function pack (body: Uint8Array, threshold: number): Uint8Array | Promise<Uint8Array> {
  return body.length > threshold ? deflated(body) : body
}

/**
 * @param maxBytes what the unpacked body may take
 * @returns the body itself, at once, where nothing is compressed
 * @throws UnreadableBodyError, or rejects with it or zlib's error, where it is larger, damaged, or not what its prefix says
 */
export function unpack (body: Uint8Array, maxBytes: number): Uint8Array | Promise<Uint8Array> {
  if (body[0] === DEFLATED_BODY) return inflated(body, maxBytes)
  if (body.length > maxBytes) throw new UnreadableBodyError(`A body of ${body.length} bytes, where ${maxBytes} are the most.`)
  return body
}

async function deflated (body: Uint8Array): Promise<Uint8Array> {
  const stream = await deflate(body, { level: LEVEL })
  if (PREFIX_BYTES + stream.length > WORTHWHILE * body.length) return body
  const packed = Buffer.allocUnsafe(PREFIX_BYTES + stream.length)
  packed[0] = DEFLATED_BODY
  packed.writeUInt32BE(body.length, 1)
  packed.set(stream, PREFIX_BYTES)
  return packed
}

async function inflated (packed: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  if (packed.length <= PREFIX_BYTES) throw new UnreadableBodyError('A compressed body that ends within its prefix.')
  const length = new DataView(packed.buffer, packed.byteOffset).getUint32(1)
  if (length === 0 || length > maxBytes) throw new UnreadableBodyError(`A body of ${length} bytes, where ${maxBytes} are the most.`)
  const stream = packed.subarray(PREFIX_BYTES)
  // Memory is taken for the length that is stated, so a few bytes must not be able to state a large one.
  if (length > MOST_FROM_A_BYTE * stream.length) throw new UnreadableBodyError(`${length} bytes stated in a body of ${packed.length}.`)
  // In one piece, and one byte more: zlib asks for a second piece as soon as the first is full.
  const body = await inflate(stream, { maxOutputLength: length, chunkSize: Math.max(length + 1, SMALLEST_CHUNK) })
  if (body.length !== length) throw new UnreadableBodyError(`A body of ${body.length} bytes, where its prefix says ${length}.`)
  return body
}
