import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { LineCutter, type LineShape } from '../../plugins/stream-reply/line-cutter.js'
import { COPY, ROW } from '../../plugins/stream-reply/pg-lines.js'

type Message = { line: Buffer } | { type: string, body: Buffer }

function message (type: number, body: Buffer): Buffer {
  const header = Buffer.alloc(5, type)
  header.writeUInt32BE(4 + body.length, 1)
  return Buffer.concat([header, body])
}

/** As the database sends it. */
function sent (given: Message, shape: LineShape): Buffer {
  if ('type' in given) return message(given.type.charCodeAt(0), given.body)
  return message(shape.message, Buffer.concat([Buffer.alloc(shape.before, 7), given.line, Buffer.alloc(shape.after, '\n')]))
}

interface Cut {
  lines: string
  other: string
  ready: string
  rows: number
}

/** What comes of what is sent in pieces, each of which is as it was afterwards. */
function cut (pieces: readonly Buffer[], shape: LineShape): Cut {
  const found = { lines: '', other: '', ready: '' }
  let isReady = false
  const cutter = new LineCutter(shape, {
    lines: (bytes) => { found.lines += bytes.toString('latin1') },
    other: (bytes) => { found.other += bytes.toString('latin1') },
    ready (bytes) {
      found.ready += bytes.toString('latin1')
      isReady = true
    }
  })
  for (const piece of pieces) {
    const before = Buffer.from(piece)
    if (isReady) found.ready += piece.toString('latin1')
    else cutter.cut(piece)
    assert.deepEqual(piece, before)
  }
  return { ...found, rows: cutter.rows }
}

/** At the given places, of which any may be beyond its end. */
function split (bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.filter((place) => place < bytes.length))].sort((a, b) => a - b)
  return [0, ...ends].map((start, index) => bytes.subarray(start, ends[index] ?? bytes.length))
}

const bytes = (maxLength: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
const shapes = fc.record({ base: fc.constantFrom(COPY, ROW), comma: fc.boolean(), carriageReturn: fc.boolean() }).map(({ base, ...ends }): LineShape => ({ ...base, ...ends }))
const messages = fc.array(fc.oneof(
  { weight: 4, arbitrary: fc.record({ line: bytes(40) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('N', 'S', 'C', 'E', 's'), body: bytes(20) }) }
), { maxLength: 30 })

t.test('however it comes in pieces, each line is there, and all else is passed on as it is', (t) => {
  fc.assert(fc.property(shapes, messages, fc.array(fc.nat(1_500)), (shape, given, places) => {
    const opening = message(shape.opening, Buffer.from('abc'))
    const ready = Buffer.concat([message(90, Buffer.from('T')), message(78, Buffer.from('later'))])
    const all = Buffer.concat([opening, ...given.map((one) => sent(one, shape)), ready])
    const lines = given.flatMap((one) => 'line' in one ? [one.line.toString('latin1') + (shape.carriageReturn ? '\r\n' : '\n')] : [])
    assert.deepEqual(cut(split(all, places), shape), {
      lines: lines.join(shape.comma ? ',' : ''),
      other: Buffer.concat([opening, ...given.flatMap((one) => 'line' in one ? [] : [sent(one, shape)])]).toString('latin1'),
      ready: ready.toString('latin1'),
      rows: lines.length
    })
  }), { numRuns: 1_000 })
  t.end()
})

t.test('a line that is longer than a piece goes on as it comes', (t) => {
  const shape = { ...COPY, comma: true, carriageReturn: true }
  const found: number[] = []
  const cutter = new LineCutter(shape, { lines: ({ length }) => { found.push(length) }, other: () => {}, ready: () => {} })
  cutter.cut(message(shape.opening, Buffer.alloc(0)))
  const all = Buffer.concat([{ line: Buffer.alloc(1) }, { line: Buffer.alloc(200_000) }].map((one) => sent(one, shape)))
  for (const piece of split(all, [65_536, 131_072, 196_608])) cutter.cut(piece)
  t.equal(found.reduce((sum, length) => sum + length), 1 + 2 + 1 + 200_000 + 2)
  t.strictSame(found.length, 4)
  t.ok(found.every((length) => length <= 65_536))
  t.end()
})

t.test('what looks like a line is none before the first, nor where it is too short for one', (t) => {
  const shape = { ...ROW, comma: false, carriageReturn: false }
  const early = sent({ line: Buffer.from('early') }, shape)
  const opening = message(shape.opening, Buffer.alloc(0))
  const short = message(shape.message, Buffer.from('12345'))
  t.strictSame(cut([Buffer.concat([early, opening, short, sent({ line: Buffer.from('line') }, shape)])], shape), {
    lines: 'line\n', other: Buffer.concat([early, opening, short]).toString('latin1'), ready: '', rows: 1
  })
  t.end()
})
