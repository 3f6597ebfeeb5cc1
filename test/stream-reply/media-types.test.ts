import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { CONTENT_TYPES, formatFor } from '../../plugins/stream-reply/formats.js'
import { preferredType } from '../../plugins/stream-reply/media-types.js'

for (const [field, expected] of [
  [undefined, 'json'],
  ['', 'json'],
  [' , ,', 'json'],
  ['*/*', 'json'],
  ['application/*', 'json'],
  ['text/*', 'csv'],
  ['text/csv', 'csv'],
  ['Text/CSV', 'csv'],
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['text/html', undefined],
  ['application/json;q=0', undefined],
  ['*/*;q=0', undefined],
  ['text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8', 'json'],
  ['text/csv, application/json', 'json'],
  ['text/csv, application/json;q=0.9', 'csv'],
  ['text/csv;q=0.001, application/json;q=0', 'csv'],
  ['text/csv ; q=0.5 , application/json ; Q=0.6', 'json'],
  // The more exact range counts, whatever it says and wherever it stands.
  ['application/json;q=0, */*', 'ndjson'],
  ['*/*, application/*;q=0', 'csv'],
  ['text/csv;q=0.1, text/*;q=0.9, application/x-ndjson;q=0.2', 'ndjson'],
  ['*/*;q=1, application/json;q=0.2, application/*;q=0.1, text/csv;q=0.15', 'json'],
  // Parameters of a range are no reason to send nothing.
  ['text/csv;header=absent', 'csv'],
  ['text/csv;header=absent;q=0.5, application/json;q=0.6', 'json'],
  ['application/json;charset=utf-8;q=0.5, text/csv;q=0.4', 'json'],
  // A separator within quotes separates nothing.
  ['text/csv;a="x,y";q=0.1, application/json;q=0.2', 'json'],
  ['text/csv;a=";q=0.1", application/json;q=0.2', 'csv'],
  ['text/csv;a="\\",application/json,";q=0.1, application/x-ndjson;q=0.2', 'ndjson'],
  // Not by the grammar: each of these members says nothing.
  ['text/csv;q=2, application/x-ndjson;q=0.1', 'ndjson'],
  ['text/csv;q=0.0001, application/x-ndjson;q=0.1', 'ndjson'],
  ['text/csv;q=-1, application/x-ndjson;q=0.1', 'ndjson'],
  ['text/csv;q, application/x-ndjson;q=0.1', 'ndjson'],
  ['text/csv;q =0, application/x-ndjson;q=0.1', 'ndjson'],
  ['*/csv, application/x-ndjson;q=0.1', 'ndjson'],
  ['text, csv, /, text/, /csv, text/csv/x, te xt/csv, application/x-ndjson;q=0.1', 'ndjson'],
  ['__proto__/constructor, text/csv;q=0.1', 'csv'],
  ['text/csv;a="never closed, application/json', 'csv'],
  [',,;q=1,text/csv,', 'csv']
] as const) {
  t.test(`of ${field === undefined ? 'no field' : JSON.stringify(field)} ${expected ?? 'nothing'} is chosen`, async (t) => {
    t.equal(formatFor(field), expected)
  })
}

t.test('what is chosen is what RFC 9110 has: of the most exact range of each type the quality, and of those the highest', async (t) => {
  const offered = ['application/json', 'application/x-ndjson', 'text/csv'] as const
  const range = fc.constantFrom(...offered, 'application/*', 'text/*', '*/*', 'text/html', 'image/*')
  const member = fc.record({
    range,
    quality: fc.constantFrom(undefined, 0, 0.001, 0.2, 0.8, 1),
    parameter: fc.constantFrom('', ';a=b', '; a="x, y;q=0"'),
    noise: fc.constantFrom('', ' ', '\t')
  })
  const garbage = fc.constantFrom('', ';', 'x', '*/csv', 'text/csv;q=9', '/;q=1')
  fc.assert(fc.property(fc.uniqueArray(member, { selector: ({ range }) => range, maxLength: 6 }), garbage, (members, garbage) => {
    const texts = members.map(({ range, quality, parameter, noise }) => `${noise}${range}${parameter}${noise}${quality === undefined ? '' : `;${noise}q=${quality}`}${noise}`)
    const qualities = new Map<string, number>(members.map(({ range, quality = 1 }) => [range, quality]))
    const qualityOf = (type: string): number => qualities.get(type) ?? qualities.get(type.replace(/\/.*/, '/*')) ?? qualities.get('*/*') ?? 0
    const best = Math.max(...offered.map(qualityOf))
    const expected = members.length === 0 ? offered[0] : best === 0 ? undefined : offered.find((type) => qualityOf(type) === best)
    assert.equal(preferredType([garbage, ...texts].join(','), offered), expected)
    assert.equal(preferredType([...texts, garbage].join(', '), offered), expected)
  }), { numRuns: 2_000 })
  t.pass('2,000 fields')
})

t.test('whatever stands in the field, it is read, in a time that grows with its length', async (t) => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('*', '/', ',', ';', '=', '"', '\\', 'q', '0', '.', '1', ' ', '\t', 'text/csv', 'application/json'), maxLength: 40 }), (field) => {
    const format = formatFor(field)
    assert(format === undefined || format in CONTENT_TYPES)
  }), { numRuns: 2_000 })
  for (const field of [',', 'text/csv;q=1,', ';', ' ', 'a', '"', '"\\', '\\', '*/*', 'a/"'].map((part) => part.repeat(16_000))) {
    const began = performance.now()
    formatFor(field)
    t.ok(performance.now() - began < 500, field.slice(0, 5))
  }
})
