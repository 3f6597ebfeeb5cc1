import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { csvField, csvLine, csvText, withoutFormula } from '../../plugins/stream-reply/csv.js'

/** What a reader of RFC 4180 has of a text; of a field nobody has quoted and that is empty, null, as for COPY. */
function parsed (text: string): Array<Array<string | null>> {
  const rows: Array<Array<string | null>> = []
  let row: Array<string | null> = []
  let at = 0
  while (at < text.length) {
    let field: string | null = null
    if (text[at] === '"') {
      field = ''
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        assert(at < text.length, 'a quote that is never closed')
        if (text[at] === '"') at++
        field += text[at]!
      }
      at++
    } else {
      const [plain] = /^[^,"\r\n]*/.exec(text.slice(at))!
      if (plain !== '') field = plain
      at += plain.length
    }
    row.push(field)
    if (text[at] === ',') {
      at++
      continue
    }
    assert.equal(text.slice(at, at + 2), '\r\n', 'a field ends at a comma or at the end of its line')
    at += 2
    rows.push(row)
    row = []
  }
  assert.equal(row.length, 0, 'a line that does not end')
  return rows
}

t.test('a table of any texts and nulls is read as it was by a reader of RFC 4180', async (t) => {
  const letter = fc.oneof(fc.constantFrom(',', '"', '\r', '\n', '\\', '.', '\t', ' ', "'", ';', '\0', '\u2028', '🎈', 'é'), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }))
  const field = fc.oneof({ weight: 8, arbitrary: fc.string({ unit: letter, maxLength: 8 }) }, { weight: 1, arbitrary: fc.constantFrom(null, '', '\\.', '"', '""', ',', '\r\n') })
  const table = fc.integer({ min: 1, max: 5 }).chain((columns) => fc.array(fc.array(field, { minLength: columns, maxLength: columns }), { maxLength: 6 }))
  fc.assert(fc.property(table, (rows) => {
    assert.deepEqual(parsed(rows.map(csvLine).join('')), rows)
  }), { numRuns: 1_000 })
  t.pass('1,000 tables')
})

t.test('fields are quoted where COPY quotes them', async (t) => {
  for (const [text, field] of [
    [null, ''],
    ['', '""'],
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['a\rb', '"a\rb"'],
    [' spaces ', ' spaces '],
    ["it's; so", "it's; so"],
    ['\ttab', '\ttab'],
    ['\\N', '\\N']
  ] as const) t.equal(csvField(text), field, JSON.stringify(text))
  t.equal(csvLine(['\\.']), '"\\."\r\n', 'what alone on a line would end the data')
  t.equal(csvLine(['\\.', 'a']), '\\.,a\r\n')
  t.equal(csvLine([null]), '\r\n')
  t.equal(csvLine(['']), '""\r\n')
  t.equal(csvLine([null, null]), ',\r\n')
  t.equal(csvLine([]), '\r\n')
})

t.test('a text that a spreadsheet would run is shown: what begins as a formula has an apostrophe before it, nothing else has', async (t) => {
  const beginnings = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']
  for (const beginning of beginnings) {
    t.equal(withoutFormula(beginning), `'${beginning}`, JSON.stringify(beginning))
    t.equal(withoutFormula(`${beginning}cmd|'/C calc'!A0`), `'${beginning}cmd|'/C calc'!A0`)
  }
  for (const text of ['', '-5', '+1.50', '-12345678901234567890', '-1.5e-7', 'a=1', ' =1', "'=1", '1-2', 'a\n=1', '"=1"', ',=1', '０']) t.equal(withoutFormula(text), text, JSON.stringify(text))
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...beginnings, ',', '"', "'", 'a', ' ') }), (text) => {
    const guarded = withoutFormula(text)
    assert(!beginnings.includes(guarded[0]!))
    assert(guarded === text || guarded === `'${text}`)
    // Nor does it get out of its field.
    assert.deepEqual(parsed(csvLine([guarded, 'x'])), [[guarded, 'x']])
  }), { numRuns: 1_000 })
})

t.test('what JavaScript has is one field', async (t) => {
  for (const [name, value, text] of [
    ['null', null, null],
    ['undefined', undefined, null],
    ['a text', 'a', 'a'],
    ['no text', '', ''],
    ['a number', -1.5, '-1.5'],
    ['none', NaN, 'NaN'],
    ['a bigint', 9007199254740993n, '9007199254740993'],
    ['a boolean', true, 'true'],
    ['a Date', new Date(Date.UTC(2024, 1, 29, 12)), '2024-02-29T12:00:00.000Z'],
    ['an invalid Date', new Date(NaN), null],
    ['a Buffer', Buffer.from([0, 255, 65]), '\\x00ff41'],
    ['a part of an ArrayBuffer', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), '\\x0203'],
    ['no bytes', Buffer.alloc(0), '\\x'],
    ['an array', [1, 'a', null], '[1,"a",null]'],
    ['an object', { a: { b: ['"', undefined] }, at: new Date(0) }, '{"a":{"b":["\\"",null]},"at":"1970-01-01T00:00:00.000Z"}'],
    // As an ObjectId is one.
    ['what is a text in JSON', { toJSON: () => '65a"\n' }, '65a"\n'],
    ['what is a number in JSON', { toJSON: () => 12 }, '12'],
    ['what is null in JSON', { toJSON: () => null }, null],
    // What JSON leaves out.
    ['what is nothing in JSON', { toJSON: () => undefined }, null],
    ['a function', () => 1, null],
    ['a symbol', Symbol('a'), null]
  ] as const) t.equal(csvText(value), text, name)
})
