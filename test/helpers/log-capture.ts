import { Writable } from 'node:stream'

export interface LogCapture<Entry> {
  /** For `fastify({ logger: { stream } })`. */
  stream: Writable
  /** Every line so far. */
  lines: () => Entry[]
  /** The bytes so far. */
  text: () => string
}

/** Remembers what an app logs. */
export function captureLog<Entry = Record<string, unknown>> (): LogCapture<Entry> {
  let text = ''
  const stream = new Writable({
    write (chunk, _encoding, done) {
      text += String(chunk)
      done()
    }
  })
  return { stream, text: () => text, lines: () => text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Entry) }
}
