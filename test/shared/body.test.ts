import { randomBytes } from 'node:crypto'
import { brotliCompressSync, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { pack, unpack } from '../../plugins/shared/body.js'

const MEGABYTE = 2 ** 20

const body = (length: number) => Buffer.alloc(length, '\x01"Programs for machines that do not exist yet."')

/** What `pack` would make, saying what it likes. */
function packed (stated: number, stream: Uint8Array): Buffer {
  const prefix = Buffer.of(3, 0, 0, 0, 0)
  prefix.writeUInt32BE(stated, 1)
  return Buffer.concat([prefix, stream])
}

t.test('a body up to the threshold is passed on as it is, at once', async (t) => {
  const small = body(100)
  t.equal(pack(small, 100), small)
  t.equal(unpack(small, 100), small)
})

t.test('a body over the threshold is compressed, and comes back as it was', async (t) => {
  for (const length of [101, 20_000, 300_000]) {
    const large = body(length)
    const small = await pack(large, 100)
    t.ok(small.length < large.length / 1.5, `${small.length} of ${large.length}`)
    t.strictSame(Buffer.from(await unpack(small, length)), large)
  }
})

t.test('any body comes back as it was, from any place in a larger piece of memory', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ minLength: 2, maxLength: 500 }), fc.nat(9), fc.nat(200), async (bytes, offset, repeats) => {
    const original = Buffer.concat([Buffer.of(1), ...Array<Uint8Array>(repeats + 1).fill(bytes)])
    const small = await pack(original, 50)
    const memory = Buffer.alloc(offset + small.length + 5, 3)
    memory.set(small, offset)
    return original.equals(await unpack(new Uint8Array(memory.buffer, memory.byteOffset + offset, small.length), original.length))
  }))
})

t.test('what does not shrink by a tenth is passed on as it is', async (t) => {
  const noise = Buffer.concat([Buffer.of(2), randomBytes(10_000)])
  t.equal(await pack(noise, 100), noise)
})

t.test('what is larger than it may be is refused, compressed or not', async (t) => {
  const large = body(20_000)
  t.throws(() => unpack(large, 19_999), { name: 'UnreadableBodyError' })
  const small = await pack(large, 100)
  await t.rejects(async () => await unpack(small, 19_999), { name: 'UnreadableBodyError' })
})

t.test('a few bytes that state or make a great length are refused before memory is taken for it', async (t) => {
  const bomb = deflateRawSync(Buffer.alloc(128 * MEGABYTE), { level: 1 })
  const before = process.memoryUsage.rss()
  let most = 0
  const watch = setInterval(() => { most = Math.max(most, process.memoryUsage.rss() - before) }, 1)
  t.teardown(() => { clearInterval(watch) })
  for (const [why, bytes, maxBytes] of [
    ['more than may be', packed(128 * MEGABYTE, bomb), MEGABYTE],
    ['more than it says', packed(MEGABYTE, bomb), MEGABYTE],
    ['less than it says', packed(2 ** 32 - 1, deflateRawSync(Buffer.alloc(10))), Infinity]
  ] as const) await t.rejects(async () => await unpack(bytes, maxBytes), why)
  most = Math.max(most, process.memoryUsage.rss() - before)
  t.ok(most < 32 * MEGABYTE, `${most} bytes at most`)
})

t.test('bytes that merely look compressed are refused', async (t) => {
  const stream = deflateRawSync(body(1_000))
  const brotli = brotliCompressSync(body(1_000))
  for (const bytes of [
    Buffer.of(3), Buffer.of(3, 0, 0, 0, 1), packed(0, stream), packed(999, stream), packed(1_001, stream), packed(1_000, stream.subarray(0, -1)),
    packed(1_000, brotli), packed(1_000, randomBytes(500))
  ]) await t.rejects(async () => await unpack(bytes, MEGABYTE))
})
