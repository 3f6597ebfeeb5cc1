import fc from 'fast-check'
import t from 'tap'
import { ABSENT, open, sealTombstone, sealValue, STAMP_BYTES, stampOf } from '../../plugins/shared/envelope.js'
import { damaged } from '../cache/damage.js'

t.test('what is sealed is opened as it was', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }), (bytes, expiresAt) => {
    const opened = open(sealValue(bytes, { ttl: 7, expiresAt }))
    return opened.kind === 'value' && opened.expiresAt === expiresAt && opened.bytes.equals(Buffer.from(bytes))
  }))
})

t.test('a tombstone is opened as one', async (t) => {
  t.strictSame(open(sealTombstone()), { kind: 'tombstone' })
})

t.test('every write has a stamp of its own, even of the same value', async (t) => {
  const seals = [...Array.from({ length: 1_000 }, () => sealValue(Buffer.from('x'), { ttl: 5, expiresAt: 5 })), ...Array.from({ length: 1_000 }, sealTombstone)]
  const stamps = new Set(seals.map((envelope) => stampOf(envelope).toString('hex')))
  t.equal(stamps.size, 2_000)
  t.ok(seals.every((envelope) => stampOf(envelope).length === STAMP_BYTES))
})

t.test('the stamp of a key that is not there is that of no envelope', async (t) => {
  t.equal(stampOf(null), ABSENT)
  t.equal(ABSENT.length, 0)
  t.not(stampOf(sealTombstone()).length, 0)
})

t.test('what is short, foreign, or of another version or kind is unreadable', async (t) => {
  const sound = sealValue(Buffer.from('value'), { ttl: 5, expiresAt: 5 })
  const changed = (at: number, byte: number) => {
    const envelope = Buffer.from(sound)
    envelope[at] = byte
    return envelope
  }
  const foreign = [Buffer.alloc(0), Buffer.from('{"json":true,"long":"enough to be one of ours"}'), sound.subarray(0, 19), changed(0, 0x47), changed(1, 2), changed(1, 0), changed(2, 2), changed(2, 255), changed(3, 1)]
  for (const envelope of foreign) t.strictSame(open(envelope), { kind: 'unreadable' })
})

t.test('an expiry that is no time is unreadable, not for ever', async (t) => {
  for (const lifetime of [{ ttl: 5, expiresAt: NaN }, { ttl: 5, expiresAt: Infinity }, { ttl: NaN, expiresAt: 5 }, { ttl: Infinity, expiresAt: 5 }]) {
    t.strictSame(open(sealValue(Buffer.from('value'), lifetime)), { kind: 'unreadable' })
  }
})

t.test('ten thousand damaged envelopes are unreadable, and none is an error', async (t) => {
  const sound = sealValue(Buffer.from('the balance is 100'), { ttl: 60_000, expiresAt: Date.now() + 60_000 })
  let readable = 0
  for (let round = 0; round < 10_000; round++) {
    if (open(damaged(sound)).kind !== 'unreadable') readable++
  }
  t.equal(readable, 0)
})
