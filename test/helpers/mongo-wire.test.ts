import assert from 'node:assert/strict'
import { Double, type Document, Int32, Long, serialize } from 'bson'
import fc from 'fast-check'
import t from 'tap'
import { type Request, requestReader } from './mongo-wire.js'

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

/** A message as a client sends it. */
function message (id: number, flags: number, ...sections: Uint8Array[]): Buffer {
  const body = Buffer.concat([int32(flags), ...sections])
  return Buffer.concat([int32(16 + body.length), int32(id), int32(0), int32(2013), body])
}

const commandSection = (command: Document): Buffer => Buffer.concat([Buffer.of(0), serialize(command)])

function arraySection (name: string, documents: Document[]): Buffer {
  const body = Buffer.concat([Buffer.from(`${name}\0`), ...documents.map((document) => serialize(document))])
  return Buffer.concat([Buffer.of(1), int32(4 + body.length), body])
}

t.test('requests are read however TCP cuts them, or joins them', async () => {
  const commands = [{ ping: 1 }, { find: 'things', filter: { name: 'ä' } }, { insert: 'things', documents: [{}, { a: [] }] }]
  const bytes = Buffer.concat(commands.map((command, id) => message(id, 0, commandSection(command))))
  fc.assert(fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
    const read = requestReader()
    const ends = [...cuts.sort((a, b) => a - b), bytes.length]
    const requests = ends.flatMap((end, index) => read(bytes.subarray(ends[index - 1] ?? 0, end)))
    assert.deepEqual(requests.map(({ id, command }) => [id, serialize(command)]), commands.map((command, id) => [id, serialize(command)]))
  }))
})

t.test('an array that was sent apart is part of the command, wherever it comes', async (t) => {
  const documents = [{ a: 'one' }, { a: 'two' }]
  const sections = [commandSection({ insert: 'things' }), arraySection('documents', documents)]
  const read = requestReader()
  for (const order of [sections, sections.toReversed()]) {
    t.match(read(message(7, 0, ...order)), [{ id: 7, command: { insert: 'things', documents } }])
  }
})

t.test('the flags are heeded, and a checksum is not taken for a section', async (t) => {
  const read = requestReader()
  const withFlags = (flags: number, ...after: Buffer[]): Request => read(message(1, flags, commandSection({ ping: 'x' }), ...after))[0]!
  t.match(withFlags(0), { command: { ping: 'x' }, silent: false, exhaust: false, legacy: false })
  t.match(withFlags(1, int32(-1)), { command: { ping: 'x' }, silent: false, exhaust: false })
  t.match(withFlags(1 << 1), { silent: true, exhaust: false })
  t.match(withFlags(1 << 16), { silent: false, exhaust: true })
})

t.test('numbers keep their type', async (t) => {
  const numbers = { a: new Int32(1), b: new Double(1), c: Long.fromNumber(1) }
  t.same(requestReader()(message(1, 0, commandSection(numbers)))[0]!.command, numbers)
})
