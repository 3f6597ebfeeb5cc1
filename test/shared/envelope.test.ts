import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { ABSENT, open, sealTombstone, sealValue, STAMP_BYTES, stampOf } from '../../plugins/shared/envelope.js'
import type { Held } from '../../plugins/shared/tier.js'
import { damaged } from './damage.js'

const now = 1_000_000

function held (changes: Partial<Held<Uint8Array>> = {}): Held<Uint8Array> {
  return { value: Buffer.from('value'), freshUntil: now + 5, keptUntil: now + 10, loadTime: 2, tags: [], ...changes }
}

const generation = fc.stringMatching(/^[A-Za-z0-9_-]{11}$/)
const tag = fc.record({ tag: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), generation }, { noNullPrototype: true })
const milliseconds = fc.integer({ min: 0, max: 3_153_600_000_000 })

t.test('what is sealed is opened as it was', async (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), milliseconds, milliseconds, fc.integer({ min: 0, max: 1_000_000 }), fc.array(tag, { maxLength: 8 }), (value, freshFor, staleFor, loadTime, tags) => {
    const sealed = held({ value, freshUntil: now + freshFor, keptUntil: now + freshFor + staleFor, loadTime, tags })
    t.strictSame(open(sealValue(sealed, now), now), { kind: 'value', held: { ...sealed, value: Buffer.from(value) } })
  }))
})

t.test('a tombstone is opened as one', async (t) => {
  t.strictSame(open(sealTombstone(), now), { kind: 'tombstone' })
})

t.test('a reader whose clock is behind or ahead gives nothing out for longer than the writer meant', async (t) => {
  const envelope = sealValue(held({ freshUntil: now + 100, keptUntil: now + 150 }), now)
  for (const behind of [-1_000_000, -50, -1]) {
    t.match(open(envelope, now + behind), { held: { freshUntil: now + behind + 100, keptUntil: now + behind + 150 } })
  }
  for (const ahead of [0, 1, 50, 1_000_000]) t.match(open(envelope, now + ahead), { held: { freshUntil: now + 100, keptUntil: now + 150 } })
})

t.test('every write has a stamp of its own, even of the same value', async (t) => {
  const seals = [...Array.from({ length: 1_000 }, () => sealValue(held(), now)), ...Array.from({ length: 1_000 }, sealTombstone)]
  const stamps = new Set(seals.map((envelope) => stampOf(envelope).toString('hex')))
  t.equal(stamps.size, 2_000)
  t.ok(seals.every((envelope) => stampOf(envelope).length === STAMP_BYTES))
})

t.test('the stamp of a key that is not there is that of no envelope', async (t) => {
  t.equal(stampOf(null), ABSENT)
  t.equal(ABSENT.length, 0)
  t.not(stampOf(sealTombstone()).length, 0)
})

t.test('what is short, foreign, or of an earlier version or another kind is unreadable', async (t) => {
  const sound = sealValue(held(), now)
  const changed = (at: number, byte: number) => {
    const envelope = Buffer.from(sound)
    envelope[at] = byte
    return envelope
  }
  const foreign = [Buffer.alloc(0), Buffer.from('{"json":true,"long":"enough to be one of ours, and then some more"}'), sound.subarray(0, 19), changed(0, 0x47), changed(1, 3), changed(1, 1), changed(2, 2), changed(2, 255), changed(3, 1)]
  for (const envelope of foreign) t.strictSame(open(envelope, now), { kind: 'unreadable' })
})

/** As a release of that version would have left it. */
function ofVersion (version: number, envelope: Buffer): Buffer {
  const copy = Buffer.from(envelope)
  copy[1] = version
  copy.writeUInt32LE(crc32(copy.subarray(0, -4)), copy.length - 4)
  return copy
}

const VERSION = sealTombstone()[1]!

t.test('a value of a later version is told apart, whatever its release has behind the stamp', async (t) => {
  const sound = sealValue(held(), now)
  const short = Buffer.concat([sound.subarray(0, STAMP_BYTES), Buffer.alloc(4)])
  const otherKind = Buffer.from(sound)
  otherKind[2] = 7
  const long = Buffer.concat([sound.subarray(0, STAMP_BYTES), Buffer.alloc(1_000, 0xff)])
  for (const envelope of [sound, short, otherKind, long]) {
    for (const version of [VERSION + 1, VERSION + 2, 255]) t.strictSame(open(ofVersion(version, envelope), now), { kind: 'newer' })
  }
})

t.test('a tombstone of a later version is one', async (t) => {
  t.strictSame(open(ofVersion(VERSION + 1, sealTombstone()), now), { kind: 'tombstone' })
  t.strictSame(open(ofVersion(255, Buffer.concat([sealTombstone(), Buffer.alloc(9)])), now), { kind: 'tombstone' })
})

t.test('what is of an earlier version is unreadable, and so is what is damaged and only looks like a later one', async (t) => {
  for (const envelope of [sealValue(held(), now), sealTombstone()]) {
    for (const version of [0, 1, VERSION - 1]) t.strictSame(open(ofVersion(version, envelope), now), { kind: 'unreadable' })
  }
  const flipped = sealValue(held(), now)
  flipped[1] = VERSION + 1
  t.strictSame(open(flipped, now), { kind: 'unreadable' })
  t.strictSame(open(ofVersion(VERSION + 1, Buffer.concat([flipped.subarray(0, 7), Buffer.alloc(4)])), now), { kind: 'unreadable' }, 'too short for a stamp')
})

t.test('a time that is none is unreadable, not for ever', async (t) => {
  for (const wrong of [{ freshUntil: NaN }, { freshUntil: Infinity }, { keptUntil: NaN }, { keptUntil: Infinity }, { loadTime: NaN }, { loadTime: Infinity }]) {
    t.strictSame(open(sealValue(held(wrong), now), now), { kind: 'unreadable' })
  }
})

t.test('one hundred thousand damaged envelopes are unreadable, and none is an error', async (t) => {
  const tags = [{ tag: 'users', generation: 'AAAAAAAAAAA' }, { tag: 'user:7', generation: 'BBBBBBBBBBB' }]
  const sound = sealValue(held({ value: Buffer.from('the balance is 100'), tags }), now)
  let readable = 0
  for (let round = 0; round < 100_000; round++) {
    if (open(damaged(sound), now).kind !== 'unreadable') readable++
  }
  t.equal(readable, 0)
})
