import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { encodedTag, splitTag } from '../../plugins/shared/encoded-tag.js'
import { formatEntityTag, parseEntityTag, parseEntityTags } from '../../plugins/shared/entity-tag.js'

const ETAGC = Array.from({ length: 0x7f - 0x21 }, (_, index) => String.fromCharCode(0x21 + index)).filter((character) => character !== '"')
const tag = fc.record({ weak: fc.boolean(), opaque: fc.string({ unit: fc.constantFrom(...ETAGC, 'é'), maxLength: 30 }) }, { noNullPrototype: true })

t.test('a list is read as it was written, whatever stands in its tags and between them', async (t) => {
  const between = fc.constantFrom(',', ', ', ' ,\t', ',,', ' , , ')
  fc.assert(fc.property(fc.array(tag, { minLength: 1 }), between, (tags, separator) => {
    assert.deepEqual(parseEntityTags(tags.map(formatEntityTag).join(separator)), tags)
  }))
  t.pass('100 lists')
})

t.test('a tag is read as it was written, and nothing beside it', async (t) => {
  fc.assert(fc.property(tag, (tag) => { assert.deepEqual(parseEntityTag(formatEntityTag(tag)), tag) }))
  for (const text of ['', 'a', '"a', 'a"', '"a"b', ' "a"', 'w/"a"', 'W/a', 'W/ "a"', '"a b"', '"a\u007f"', undefined, 5, ['"a"']]) t.equal(parseEntityTag(text), undefined, String(text))
})

t.test('what cannot be read as a whole is not read', async (t) => {
  t.strictSame(parseEntityTags(' * '), '*')
  for (const field of ['', ' , ', '"a", *', '*, *', '"a", b, "c"', 'a, "b"', '"a" b']) t.equal(parseEntityTags(field), undefined, field)
})

t.test('reading takes a time that grows with the length, whatever is sent', async (t) => {
  for (const text of ['"'.repeat(16_000), ', '.repeat(8_000) + 'x', 'W/'.repeat(8_000), '"a"'.repeat(5_000), ' '.repeat(16_000) + 'x', `"${'a'.repeat(16_000)}`]) {
    const began = performance.now()
    parseEntityTags(text)
    t.ok(performance.now() - began < 500, text.slice(0, 5))
  }
})

t.test('of a tag in a coding both can be told', async (t) => {
  const coding = fc.constantFrom('br', 'gzip', 'deflate', 'zstd', 'br-low', 'gzip-low')
  fc.assert(fc.property(tag, coding, (tag, coding) => {
    for (const isWeak of [false, true]) {
      const encoded = parseEntityTag(encodedTag(formatEntityTag(tag), coding, isWeak))!
      assert.deepEqual(splitTag(encoded.opaque), { base: tag.opaque, coding })
      assert.equal(encoded.weak, tag.weak || isWeak)
    }
  }))
  t.strictSame(splitTag('a'), { base: 'a', coding: '' })
  t.strictSame(splitTag('a:br:'), { base: 'a:br:', coding: '' })
  for (const field of ['', '"', 'a', 'W/a']) t.equal(encodedTag(field, 'br'), field)
})
