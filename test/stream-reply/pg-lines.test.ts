import { EventEmitter } from 'node:events'
import t from 'tap'
import { Lines, ROW } from '../../plugins/stream-reply/pg-lines.js'
import type { Connection } from '../../plugins/stream-reply/pg-protocol.js'

class FakeStream extends EventEmitter {
  isDestroyed = false
  pause (): void {}
  resume (): void {}
  destroy (): void { this.isDestroyed = true }
}

/** With what pg's parser has had. */
function submitted (): { lines: Lines, stream: FakeStream, parsed: Buffer[] } {
  const stream = new FakeStream()
  const parsed: Buffer[] = []
  stream.on('data', (bytes: Buffer) => { parsed.push(bytes) })
  const nothing = (): void => {}
  const connection = { stream, parse: nothing, bind: nothing, execute: nothing, sync: nothing } as unknown as Connection
  const lines = new Lines(connection, { text: 'SELECT 1', parameters: [], shape: { ...ROW, comma: false, carriageReturn: false } })
  lines.submit(connection)
  return { lines, stream, parsed }
}

const message = (type: string, body: string): Buffer => {
  const bytes = Buffer.from(`${type}....${body}`, 'latin1')
  bytes.writeUInt32BE(4 + body.length, 1)
  return bytes
}
const [PARSED, BOUND, ROW_OF_A, DONE, READY] = [message('1', ''), message('2', ''), message('D', '\0\x01\0\0\0\x01a'), message('C', 'SELECT 1\0'), message('Z', 'T')] as const

t.test('lines are read in the parser\'s place, which has all else, and is back where it was when the database is ready', async (t) => {
  const { lines, stream, parsed } = submitted()
  stream.emit('data', Buffer.concat([PARSED, BOUND, ROW_OF_A]))
  t.equal(String(await lines.read()), 'a\n')
  stream.emit('data', Buffer.concat([DONE, READY]))
  lines.handleCommandComplete()
  lines.handleReadyForQuery()
  stream.emit('data', Buffer.from('next'))
  t.equal(String(Buffer.concat(parsed)), String(Buffer.concat([PARSED, BOUND, DONE, READY, Buffer.from('next')])))
  t.equal(await lines.read(), undefined)
  t.notOk(stream.isDestroyed)
  t.equal(stream.listenerCount('data'), 1)
})

t.test('where the parser was in the middle of a message the connection is given up, with rows and without', async (t) => {
  const rest = Buffer.from('ng of a message\0')
  const withRows = submitted()
  withRows.stream.emit('data', Buffer.concat([rest, PARSED, BOUND, ROW_OF_A, DONE, READY]))
  // As it says who has had all of it.
  withRows.lines.handleDataRow()
  await t.rejects(withRows.lines.read(), { message: 'the database sent what it was not asked for' })
  t.ok(withRows.stream.isDestroyed)
  const without = submitted()
  without.stream.emit('data', Buffer.concat([rest, PARSED, BOUND, DONE, READY]))
  without.lines.handleCommandComplete()
  without.lines.handleReadyForQuery()
  t.ok(without.stream.isDestroyed)
})
