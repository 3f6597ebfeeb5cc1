import fc from 'fast-check'
import assert from 'node:assert/strict'
import { validateHeaderValue } from 'node:http'
import t from 'tap'
import { attachment } from '../../plugins/stream-reply/content-disposition.js'

/** The names of a field, of RFC 6266 and RFC 8187: what old clients save, and the others. */
function namesOf (field: string): { ascii: string, name: string } {
  const [, ascii, encoded] = /^attachment; filename="([^"\\]*)"(?:; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+))?$/.exec(field) ?? assert.fail(field)
  return { ascii: ascii!, name: encoded === undefined ? ascii! : decodeURIComponent(encoded) }
}

/** What is a way out of a folder or of the field, or shows a name that is not the name. */
// eslint-disable-next-line no-control-regex
const DANGEROUS = /[/\\:"<>|?*\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

function check (filename: string): string {
  const field = attachment(filename)
  validateHeaderValue('content-disposition', field)
  assert.match(field, /^[\u0020-\u007e]+$/)
  const { ascii, name } = namesOf(field)
  for (const text of [ascii, name]) {
    assert(text !== '' && Buffer.byteLength(text) <= 255)
    assert.doesNotMatch(text, DANGEROUS)
    assert.doesNotMatch(text, /^[.\s]|[.\s]$/)
  }
  // What a client may decode, and save something else.
  assert(!ascii.includes('%'))
  return name
}

t.test('a file is saved under the name that is given', async (t) => {
  for (const name of ['people.csv', 'a b.csv', "it's (1).csv", 'größe.csv', '年報.csv', '🧑‍🧑‍🧒.csv', '100%.csv', '%2e%2e%2f.csv', 'a;b=c.csv', 'a,b.csv', '~.csv', 'no ending', 'a..b']) t.equal(check(name), name)
  t.equal(attachment('people.csv'), 'attachment; filename="people.csv"')
  t.equal(attachment('größe.csv'), "attachment; filename=\"gr__e.csv\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.csv")
})

t.test('a name is no path, no way out of the field, and no name of a hidden file', async (t) => {
  for (const [given, name] of [
    ['../../etc/passwd', '_.._etc_passwd'],
    ['C:\\windows\\a.csv', 'C__windows_a.csv'],
    ['a"; filename="b.exe', 'a_; filename=_b.exe'],
    ['a\r\nset-cookie: a=b', 'a__set-cookie_ a=b'],
    ['.htaccess', 'htaccess'],
    ['a.csv. ', 'a.csv'],
    ['gnp.\u202efdp.exe', 'gnp._fdp.exe'],
    ['a\u061c\u200f\u2067b.csv', 'a___b.csv'],
    ['a\0b', 'a_b'],
    ['\ud83c.csv', '\ufffd.csv'],
    ['', 'download'],
    ['...', 'download'],
    [' . .. ', 'download'],
    ['\u2028', '_']
  ] as const) t.equal(check(given), name, name)
})

t.test('a name that is too long is shortened, and keeps its ending', async (t) => {
  for (const letter of ['a', 'é', '年', '🎈', '\ud83c', '.a', '% ']) {
    const name = check(`${letter.repeat(10_000)}.csv`)
    t.ok(name.endsWith('.csv') && Buffer.byteLength(name) > 150, letter)
    t.ok(check(letter.repeat(10_000)).length > 0, `${letter} without an ending`)
  }
  for (let length = 150; length < 260; length++) {
    const name = check(`${'a'.repeat(length)}🎈.csv`)
    assert(name.endsWith('.csv') && name.isWellFormed())
  }
  t.equal(check(`${'a'.repeat(196)}.csv`), `${'a'.repeat(196)}.csv`, 'one that is not stays as it is')
})

t.test('whatever a name is made of, the field is one line that Node sends, and its names are safe', async (t) => {
  const part = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 10 }),
    fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    fc.constantFrom('..', '/', '\\', '"', '\r\n', '\0', '%', "'", '*', ';', '\u202e', '🎈', '.csv', ' ', '.', '年'.repeat(60), 'a'.repeat(190)))
  fc.assert(fc.property(fc.array(part, { maxLength: 12 }), (parts) => { check(parts.join('')) }), { numRuns: 2_000 })
  t.pass('2,000 names')
})

t.test('a name of any length takes a time that grows with it', async (t) => {
  for (const part of ['.', ' ', '. ', '🎈', '"', 'a']) {
    const began = performance.now()
    check(`a${part.repeat(50_000)}b`)
    t.ok(performance.now() - began < 500, JSON.stringify(part))
  }
})
