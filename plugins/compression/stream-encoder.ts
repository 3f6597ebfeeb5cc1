import { pipeline, type Readable } from 'node:stream'
import type { Encoder } from './encoders.js'

/**
 * Encodes a stream as it comes. A compressor keeps what it is given until it has enough, and a client would wait for the first rows of
 * an export until there are thousands, or for an event until the next: whenever the source pauses, all that has come is let out.
 *
 * @param onEnd with the bytes that went in and came out, once, also when it broke off
 */
export function encodeStream (source: Readable, encoder: Encoder, onEnd: (plain: number, encoded: number) => void): Readable {
  let plain = 0
  let encoded = 0
  let isScheduled = false
  let isDone = false
  const flush = (): void => {
    isScheduled = false
    if (!isDone && !encoder.destroyed && !encoder.writableEnded) encoder.flush()
  }
  source.on('data', (chunk: string | Buffer) => {
    plain += Buffer.byteLength(chunk)
    if (isScheduled) return
    isScheduled = true
    // What is at hand goes out together: those of one batch come in one turn of the event loop.
    setImmediate(flush)
  })
  // A listener for its data would have it flow before it is piped to the client.
  const { push } = encoder
  encoder.push = function (chunk: Buffer | null, ...rest) {
    encoded += chunk?.length ?? 0
    return push.call(this, chunk, ...rest)
  }
  pipeline(source, encoder, () => { isDone = true })
  encoder.once('close', () => { onEnd(plain, encoded) })
  return encoder
}
