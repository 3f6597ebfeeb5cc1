import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { rowEncoder, type Row, type RowOptions, type SerializeRows } from '../../plugins/stream-reply/row-encoder.js'

const OPTIONS: RowOptions = { format: 'json', columns: undefined, serialize: undefined, shown: undefined, isGuarded: false }

function bodyOf (rows: readonly unknown[], options: Partial<RowOptions>, names?: readonly string[]): string {
  const { frame, encode } = rowEncoder({ ...OPTIONS, ...options }, names)
  return frame.head + rows.map((row, index) => encode(row as Row, index === 0)).join('') + frame.tail
}

/** As a response schema would have it: only these, each as it is in JSON. */
function leaving (...names: string[]): SerializeRows {
  return (rows) => `[${rows.map((row) => `{${names.filter((name) => row[name] !== undefined).map((name) => `${JSON.stringify(name)}:${typeof row[name] === 'bigint' ? String(row[name]) : JSON.stringify(row[name])}`).join(',')}}`).join(',')}]`
}

const SHORT_AND_LONG = [{ id: 1, name: 'a' }, { id: 2, name: 'b', secret: 'x' }]

t.test('rows are an array of JSON, one a line, or one a line without', async (t) => {
  t.equal(bodyOf([{ a: 1 }, { a: 'x\ny' }], {}), '[{"a":1}\n,{"a":"x\\ny"}\n]')
  t.equal(bodyOf([{ a: 1 }, { a: 'x\ny' }], { format: 'ndjson' }), '{"a":1}\n{"a":"x\\ny"}\n')
  t.equal(bodyOf([], {}), '[]')
  t.equal(bodyOf([], { format: 'ndjson' }), '')
})

t.test('random rows parse to what JSON.stringify would have of them, as an array and in lines', async (t) => {
  const rows = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 5 })
  fc.assert(fc.property(rows, (rows) => {
    const expected = JSON.parse(JSON.stringify(rows)) as unknown
    assert.deepEqual(JSON.parse(bodyOf(rows, {})), expected)
    assert.deepEqual(bodyOf(rows, { format: 'ndjson' }).split('\n').slice(0, -1).map((line) => JSON.parse(line) as unknown), expected)
  }), { numRuns: 300 })
  t.pass('300 arrays')
})

t.test('only the columns that are chosen are sent, in their order, by their titles in a CSV', async (t) => {
  const columns = new Map([['name', 'Name, full'], ['id', 'Number']])
  t.equal(bodyOf(SHORT_AND_LONG, { columns, format: 'ndjson' }), '{"name":"a","id":1}\n{"name":"b","id":2}\n')
  t.equal(bodyOf(SHORT_AND_LONG, { columns, format: 'csv' }), '"Name, full",Number\r\na,1\r\nb,2\r\n')
  t.equal(bodyOf([{ id: 1 }, {}], { columns, format: 'csv' }), '"Name, full",Number\r\n,1\r\n,\r\n')
  t.equal(bodyOf([{ id: 1 }, {}], { columns, format: 'ndjson' }), '{"id":1}\n{}\n')
  t.equal(bodyOf([], { columns, format: 'csv' }), '"Name, full",Number\r\n', 'a header also where there are no rows')
  const inherited = new Map([['constructor', 'constructor'], ['__proto__', '__proto__']])
  t.equal(bodyOf([{}], { columns: inherited, format: 'csv' }), 'constructor,__proto__\r\n,\r\n', 'what a row has not of its own it has not')
  t.equal(bodyOf([{}], { columns: inherited, format: 'ndjson' }), '{}\n')
  t.equal(bodyOf([JSON.parse('{"__proto__":1,"constructor":2}')], { columns: inherited, format: 'ndjson' }), '{"constructor":2,"__proto__":1}\n')
})

t.test('the header of a CSV is of the names that are known before, or of the first row', async (t) => {
  t.equal(bodyOf([{ b: 1, a: null }, { a: 'x' }], { format: 'csv' }), 'b,a\r\n1,\r\n,x\r\n')
  t.equal(bodyOf([{ b: 1, a: null }], { format: 'csv' }, ['a', 'b']), 'a,b\r\n,1\r\n')
  t.equal(bodyOf([], { format: 'csv' }, ['a', 'b']), 'a,b\r\n')
  t.equal(bodyOf([], { format: 'csv' }), '')
})

t.test('a value that the header of a CSV has no column for is an error, not lost', async (t) => {
  for (const [rows, names] of [
    [[{ a: 1 }, { a: 1, b: 2 }]],
    [[{ a: 1 }, { a: 1, b: null }]],
    [[{}, { b: 2 }]],
    [[{ a: 1, b: 2 }], ['a']]
  ] as const) t.throws(() => bodyOf(rows, { format: 'csv' }, names), { code: 'FST_HEADROOM_STREAM_REPLY_ROW', message: /"b"/ })
  t.throws(() => bodyOf([{ a: 1, b: 2 }], { format: 'csv', serialize: leaving('a', 'b'), shown: new Set(['a']) }), { code: 'FST_HEADROOM_STREAM_REPLY_ROW' }, 'of a schema that lets others pass, too')
  t.equal(bodyOf([{ a: 1 }, { a: 2, b: undefined }], { format: 'csv' }), 'a\r\n1\r\n2\r\n', 'what JSON has not is not lost')
})

t.test('what the response schema leaves out is in no format, whatever columns are chosen', async (t) => {
  const serialize = leaving('id', 'name')
  const shown = new Set(['id', 'name'])
  const columns = new Map([['secret', 'Secret'], ['id', 'Id']])
  t.equal(bodyOf(SHORT_AND_LONG, { serialize, shown }), '[{"id":1,"name":"a"}\n,{"id":2,"name":"b"}\n]')
  t.equal(bodyOf(SHORT_AND_LONG, { serialize, shown, format: 'ndjson' }), '{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n')
  t.equal(bodyOf(SHORT_AND_LONG, { serialize, shown, format: 'csv' }), 'id,name\r\n1,a\r\n2,b\r\n')
  t.equal(bodyOf(SHORT_AND_LONG, { serialize, shown, format: 'csv' }, ['secret', 'name', 'id']), 'name,id\r\na,1\r\nb,2\r\n')
  t.equal(bodyOf(SHORT_AND_LONG, { serialize, shown, columns, format: 'csv' }), 'Secret,Id\r\n,1\r\n,2\r\n')
  t.equal(bodyOf(SHORT_AND_LONG, { serialize, shown, columns, format: 'ndjson' }), '{"id":1}\n{"id":2}\n')
  t.throws(() => bodyOf([], { serialize, format: 'csv' }), { code: 'FST_HEADROOM_STREAM_REPLY_ROW', message: /options\.columns/ }, 'where it cannot be told what that is')
})

t.test('a response schema that is not of an array of rows is an error', async (t) => {
  t.throws(() => bodyOf([{}], { serialize: () => '{}' }), { code: 'FST_HEADROOM_STREAM_REPLY_ROW', message: /array/ })
})

t.test('a row is one line, also of a serialiser that writes several', async (t) => {
  const serialize: SerializeRows = (rows) => JSON.stringify(rows, null, 2).replaceAll('\n', '\r\n')
  const rows = [{ a: 'x\r\ny', b: [1] }, { a: '', b: [] }]
  t.strictSame(bodyOf(rows, { serialize, format: 'ndjson' }).split('\n').slice(0, -1).map((line) => JSON.parse(line) as unknown), rows)
  t.strictSame(JSON.parse(bodyOf(rows, { serialize })), rows)
})

t.test('in a CSV whose row went through the schema a bigint has all of its digits', async (t) => {
  t.equal(bodyOf([{ id: 9007199254740993n }], { serialize: leaving('id'), shown: new Set(['id']), format: 'csv', isGuarded: true }), 'id\r\n9007199254740993\r\n')
})

t.test('a CSV for a spreadsheet has its texts and titles guarded, not its numbers', async (t) => {
  const rows = [{ '=a': '=1', n: -1, big: -2n, text: '-1', list: ['=1'], at: new Date(0) }]
  t.equal(bodyOf(rows, { format: 'csv', isGuarded: true }), "'=a,n,big,text,list,at\r\n'=1,-1,-2,-1,\"[\"\"=1\"\"]\",1970-01-01T00:00:00.000Z\r\n")
  t.equal(bodyOf(rows, { format: 'csv' }), '=a,n,big,text,list,at\r\n=1,-1,-2,-1,"[""=1""]",1970-01-01T00:00:00.000Z\r\n')
  t.equal(bodyOf([], { format: 'csv', isGuarded: true, columns: new Map([['a', '@a']]) }), "'@a\r\n")
  t.equal(bodyOf(rows, { format: 'ndjson', isGuarded: true, columns: new Map([['text', '']]) }), '{"text":"-1"}\n', 'JSON is no spreadsheet')
})

t.test('a document whose values are behind getters is what it is as JSON, in all formats', async (t) => {
  class Document {
    readonly #values: Row
    readonly internal = 'x'
    constructor (values: Row) { this.#values = values }
    get name (): unknown { return this.#values.name }
    toJSON (): Row { return this.#values }
  }
  const rows = [new Document({ _id: { toJSON: () => '65a' }, name: 'a' })]
  t.equal(bodyOf(rows, { format: 'ndjson' }), '{"_id":"65a","name":"a"}\n')
  t.equal(bodyOf(rows, { format: 'csv' }), '_id,name\r\n65a,a\r\n')
  t.equal(bodyOf(rows, { format: 'ndjson', columns: new Map([['name', 'Name']]) }), '{"name":"a"}\n')
  t.equal(bodyOf(rows, { format: 'csv', columns: new Map([['name', 'Name'], ['internal', 'Internal']]) }), 'Name,Internal\r\na,\r\n')
})

t.test('what is no row is an error that says so', async (t) => {
  for (const row of [null, undefined, 1, 'a', () => 1, { toJSON: () => undefined }, { toJSON: () => 'a' }]) {
    for (const format of ['json', 'csv'] as const) {
      for (const columns of [undefined, new Map([['a', 'a']])]) {
        t.throws(() => bodyOf([row], { format, columns }), { code: 'FST_HEADROOM_STREAM_REPLY_ROW', message: /a row is / })
      }
    }
  }
  for (const value of [undefined, 5]) t.throws(() => bodyOf([{ toJSON: () => ({ toJSON: () => value }) }], { format: 'json' }), { code: 'FST_HEADROOM_STREAM_REPLY_ROW', message: /a row is no object in JSON/ })
})
