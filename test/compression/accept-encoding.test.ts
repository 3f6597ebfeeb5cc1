import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { acceptable, negotiate, parseAcceptEncoding } from '../../plugins/compression/accept-encoding.js'
import { CODINGS, type Coding } from '../../plugins/compression/codings.js'

const chosen = (field: string | undefined, offered: readonly Coding[] = CODINGS): string | undefined => negotiate(parseAcceptEncoding(field), offered)

for (const [field, expected] of [
  [undefined, 'identity'],
  ['', 'identity'],
  ['identity', 'identity'],
  ['foo', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['GZip', 'gzip'],
  ['gzip, deflate, br', 'br'],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip;q=1.0, br;q=0.9', 'gzip'],
  ['br;q=0, gzip;q=0.001', 'gzip'],
  ['br ; q=0.5 , gzip ; Q=0.6', 'gzip'],
  ['gzip;q=0', 'identity'],
  ['*', 'br'],
  ['*;q=0', undefined],
  ['br;q=0, *', 'zstd'],
  ['identity;q=1, gzip;q=0.5', 'identity'],
  ['identity;q=0.5, gzip;q=0.5', 'gzip'],
  ['identity;q=0.5, *;q=0', 'identity'],
  ['identity;q=0', undefined],
  ['identity;q=0, foo', undefined],
  ['identity;q=0, gzip;q=0.1', 'gzip'],
  ['gzip, *;q=0', 'gzip'],
  ['*;q=0.5, gzip;q=0.1, identity;q=0.2', 'br'],
  // Not by the grammar: each of these members says nothing.
  ['gzip;q=2', 'identity'],
  ['gzip;q=0.0001', 'identity'],
  ['gzip;q=-1, deflate', 'deflate'],
  ['gzip;q', 'identity'],
  ['gzip;level=9', 'identity'],
  [',,;q=1,gzip,', 'gzip'],
  // What is refused once is refused.
  ['gzip, gzip;q=0', 'identity'],
  ['__proto__, constructor;q=0, gzip', 'gzip']
] as const) {
  t.test(`of ${field === undefined ? 'no field' : JSON.stringify(field)} ${expected ?? 'nothing'} is chosen`, async (t) => {
    t.equal(chosen(field), expected)
  })
}

t.test('what is chosen is offered, and never what is refused; nothing is liked better', async (t) => {
  const weight = fc.constantFrom('', ';q=0', ';q=0.2', ';q=0.8', ';q=1')
  const member = fc.tuple(fc.constantFrom(...CODINGS, 'identity', '*', 'foo'), weight).map((parts) => parts.join(''))
  const field = fc.uniqueArray(member, { selector: (text) => text.split(';')[0], maxLength: 6 }).map((members) => members.join(', '))
  fc.assert(fc.property(field, fc.uniqueArray(fc.constantFrom(...CODINGS), { minLength: 1 }), (field, offered) => {
    const weights = new Map(field.split(', ').filter(Boolean).map((text) => text.split(';q=')).map(([name, q = '1']) => [name, Number(q)]))
    const quality = (coding: string): number => weights.get(coding) ?? weights.get('*') ?? 0
    const isIdentityRefused = (weights.get('identity') ?? weights.get('*')) === 0
    const choice = negotiate(parseAcceptEncoding(field), offered)
    if (choice === undefined) assert(isIdentityRefused && offered.every((coding) => quality(coding) === 0))
    else if (choice === 'identity') assert(!isIdentityRefused && offered.every((coding) => quality(coding) === 0 || quality(coding) < quality('identity')))
    else assert(offered.includes(choice) && quality(choice) > 0 && [...offered, 'identity'].every((other) => quality(other) <= quality(choice)))

    const all = acceptable(parseAcceptEncoding(field), offered)
    assert.equal(all[0], choice === 'identity' ? '' : choice)
    assert.equal(all.includes(''), !isIdentityRefused)
    for (const coding of offered) assert.equal(all.includes(coding), quality(coding) > 0)
  }), { numRuns: 2_000 })
  t.pass('2,000 fields')
})

t.test('of a client that says nothing, nothing is known but that it takes what needs no decoding', async (t) => {
  t.strictSame(acceptable(parseAcceptEncoding(undefined), ['br', 'gzip']), [''])
})

t.test('reading takes a time that grows with the length, whatever is sent', async (t) => {
  for (const field of [','.repeat(16_000), 'gzip;q=1,'.repeat(1_600), ';'.repeat(16_000), ' '.repeat(16_000), 'a'.repeat(16_000)]) {
    const began = performance.now()
    parseAcceptEncoding(field)
    t.ok(performance.now() - began < 500, field.slice(0, 5))
  }
})
