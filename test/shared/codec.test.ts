import { deepStrictEqual } from 'node:assert/strict'
import { serialize } from 'node:v8'
import t from 'tap'
import { decodeStructured, encodeJson, encodeStructured, formatOf } from '../../plugins/shared/codec.js'

/** As a reply of Redis comes: somewhere in a larger piece of memory, at any alignment. */
function slicesOf (bytes: Uint8Array): Uint8Array[] {
  return [0, 1, 2, 3, 5, 8].map((offset) => {
    const memory = Buffer.alloc(offset + bytes.length + 8, 0xff)
    memory.set(bytes, offset)
    return offset === 5 ? memory.subarray(offset, offset + bytes.length) : new Uint8Array(memory.buffer, memory.byteOffset + offset, bytes.length)
  })
}

t.test('a JSON text comes back as it was, whatever its characters', async (t) => {
  for (const text of ['', 'null', '{"a":"b"}', '"é"', '"Grüße 👋"', '"\u2028"', '"\\ud800"', '"' + 'ÿ'.repeat(5_000) + '"']) {
    for (const body of slicesOf(encodeJson(text))) t.strictSame(formatOf(body), { json: text })
  }
})

t.test('structured values come back as they were, wherever in memory their bytes lie', async () => {
  for (const value of [
    undefined, -0, NaN, 2n ** 70n, 'latin ÿ', 'wide 👋', '\ud800', ['👋', 'a', '👋'], new Date(5), new Map([[1, new Set(['👋'])]]),
    Buffer.from('bytes'), new Float64Array([1.5, -0, NaN]), new Uint16Array([1, 2, 3]).subarray(1), new DataView(new ArrayBuffer(3), 1), new ArrayBuffer(3),
    JSON.parse('{"__proto__":{"admin":true}}')
  ]) {
    for (const body of slicesOf(encodeStructured(value))) {
      const format = formatOf(body)
      deepStrictEqual('structured' in format && decodeStructured(format.structured), value)
    }
  }
})

t.test('a binary part comes with memory of its own', async (t) => {
  const [body] = slicesOf(encodeStructured({ buffer: Buffer.alloc(3), floats: new Float64Array(2) }))
  const { buffer, floats } = decodeStructured(body!.subarray(1)) as { buffer: Buffer, floats: Float64Array }
  t.equal(buffer.buffer.byteLength, 3)
  t.equal(floats.buffer.byteLength, 16)
})

t.test('bytes of no known format are refused, without a word of what is in them', async (t) => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('secret'), Buffer.of(0), Buffer.of(3, 0, 0, 0, 1, 0), Buffer.of(5), serialize('secret')]) {
    t.throws(() => formatOf(bytes), { name: 'UnreadableBodyError', message: 'Not a body of a format that is known.' })
  }
})

t.test('a later version of structured clone is refused', async (t) => {
  const body = encodeStructured({ a: 1 })
  body[2] = 99
  t.throws(() => decodeStructured(body.subarray(1)))
})
