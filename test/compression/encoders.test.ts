import t from 'tap'
import zlib from 'node:zlib'
import { SUPPORTED, type Coding } from '../../plugins/compression/codings.js'
import { Encoders } from '../../plugins/compression/encoders.js'

const decode: Record<Coding, (bytes: Buffer) => Buffer> = {
  br: zlib.brotliDecompressSync,
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  zstd: (zlib as unknown as { zstdDecompressSync: (bytes: Buffer) => Buffer }).zstdDecompressSync
}

/** Words, so that more effort finds more. */
const text = Array.from({ length: 4_000 }, (_, index) => ['lorem', 'ipsum', 'dolor', 'sit', 'amet'][(index * index) % 7 % 5]! + index % 89).join(' ')

for (const coding of SUPPORTED) {
  t.test(`${coding}: small and large, here and on another thread, with full effort and low, it is what it was`, async (t) => {
    const encoders = new Encoders(SUPPORTED)
    for (const plain of ['', 'x', 'häuser'.repeat(50), text]) {
      for (const effort of ['full', 'low'] as const) {
        t.equal(decode[coding](encoders.sync(coding, effort, plain)).toString(), plain)
        t.equal(decode[coding](await encoders.async(coding, effort, Buffer.from(plain))).toString(), plain)
      }
    }
  })

  t.test(`${coding}: low effort finds less, and never tries harder than what is asked for`, async (t) => {
    const encoders = new Encoders(SUPPORTED)
    t.ok(encoders.sync(coding, 'low', text).length > encoders.sync(coding, 'full', text).length)
    const least = new Encoders(SUPPORTED, {
      brotliOptions: { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 0 } },
      zlibOptions: { level: 0 },
      zstdOptions: { params: { 100: -5 } }
    })
    t.strictSame(least.sync(coding, 'low', text), least.sync(coding, 'full', text))
  })
}

t.test('brotli is of quality 4 and gzip of level 6 unless something else is asked for', async (t) => {
  const encoders = new Encoders(SUPPORTED)
  const quality = (level: number): Buffer => zlib.brotliCompressSync(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: level } })
  t.strictSame(encoders.sync('br', 'full', text), quality(4))
  t.strictSame(encoders.sync('gzip', 'full', text), zlib.gzipSync(text, { level: 6 }))
  t.strictSame(new Encoders(SUPPORTED, { brotliOptions: { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 9 } } }).sync('br', 'full', text), quality(9))
})
