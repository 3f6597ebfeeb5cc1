import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { parseEntityTags, type EntityTag } from '../../plugins/shared/entity-tag.js'
import { formatHttpDate } from '../../plugins/shared/http-date.js'
import { isConditional, judge, type ConditionalFields, type Selected, type Verdict } from '../../plugins/shared/preconditions.js'

const now = Date.UTC(2026, 10, 27)
const modified = now - 60_000
const before = formatHttpDate(modified - 1_000)
const at = formatHttpDate(modified)

const selected: Selected = {
  exists: true,
  matches: ({ weak, opaque }, strongly) => opaque === 'a' && !(strongly && weak),
  lastModified: modified
}

function verdict (fields: ConditionalFields, { isRead = true, of = selected } = {}): string {
  const result: Verdict = judge(fields, of, isRead, now)
  return result === 'proceed' ? result : result.is === 'failed' ? `failed by ${result.field}` : 'not modified'
}

const absent: Selected = { exists: false }

for (const [title, fields, read, write = read] of [
  ['nothing is asked', {}, 'proceed'],
  ['If-None-Match has the tag', { 'if-none-match': '"a"' }, 'not modified', 'failed by if-none-match'],
  ['If-None-Match has it weakly, in a list', { 'if-none-match': '"x", W/"a"' }, 'not modified', 'failed by if-none-match'],
  ['If-None-Match has others', { 'if-none-match': '"x", "y"' }, 'proceed'],
  ['If-None-Match is *', { 'if-none-match': '*' }, 'not modified', 'failed by if-none-match'],
  ['If-Match has the tag', { 'if-match': '"x", "a"' }, 'proceed'],
  ['If-Match has it weakly', { 'if-match': 'W/"a"' }, 'failed by if-match'],
  ['If-Match has others', { 'if-match': '"x"' }, 'failed by if-match'],
  ['If-Match is *', { 'if-match': '*' }, 'proceed'],
  ['If-Match cannot be read', { 'if-match': 'a' }, 'failed by if-match'],
  ['If-None-Match cannot be read', { 'if-none-match': 'a' }, 'proceed', 'failed by if-none-match'],
  ['If-None-Match is * twice', { 'if-none-match': '*, *' }, 'proceed', 'failed by if-none-match'],
  ['If-Modified-Since is its date', { 'if-modified-since': at }, 'not modified', 'proceed'],
  ['If-Modified-Since is before it', { 'if-modified-since': before }, 'proceed'],
  ['If-Modified-Since is no date', { 'if-modified-since': 'yesterday' }, 'proceed'],
  ['If-Unmodified-Since is its date', { 'if-unmodified-since': at }, 'proceed'],
  ['If-Unmodified-Since is before it', { 'if-unmodified-since': before }, 'failed by if-unmodified-since'],
  ['If-Unmodified-Since is no date', { 'if-unmodified-since': 'yesterday' }, 'proceed'],
  ['If-Match goes before If-Unmodified-Since', { 'if-match': '"a"', 'if-unmodified-since': before }, 'proceed'],
  ['If-None-Match goes before If-Modified-Since', { 'if-none-match': '"x"', 'if-modified-since': at }, 'proceed'],
  ['If-Match that fails goes before If-None-Match', { 'if-match': '"x"', 'if-none-match': '"a"' }, 'failed by if-match'],
  ['If-Match that holds leaves it to If-None-Match', { 'if-match': '"a"', 'if-none-match': '"a"' }, 'not modified', 'failed by if-none-match'],
  ['If-Unmodified-Since that fails goes before If-None-Match', { 'if-unmodified-since': before, 'if-none-match': '"a"' }, 'failed by if-unmodified-since']
] as ReadonlyArray<[string, ConditionalFields, string, string?]>) {
  t.test(`${title}: a read ${read}, a write ${write}`, async (t) => {
    t.equal(verdict(fields), read)
    t.equal(verdict(fields, { isRead: false }), write)
  })
}

t.test('of what does not exist If-Match fails, and everything else holds', async (t) => {
  for (const isRead of [true, false]) {
    t.equal(verdict({ 'if-match': '*' }, { isRead, of: absent }), 'failed by if-match')
    t.equal(verdict({ 'if-match': '"a"' }, { isRead, of: absent }), 'failed by if-match')
    t.equal(verdict({ 'if-none-match': '*', 'if-unmodified-since': before, 'if-modified-since': at }, { isRead, of: absent }), 'proceed')
  }
})

t.test('what is not known is not judged', async (t) => {
  const of: Selected = { exists: true }
  t.equal(verdict({ 'if-match': '"x"', 'if-none-match': '"a"' }, { of }), 'proceed')
  t.equal(verdict({ 'if-unmodified-since': before }, { of }), 'proceed')
  t.equal(verdict({ 'if-modified-since': at }, { of }), 'proceed')
})

t.test('of the tags that a client has the one that counted is told', async (t) => {
  t.strictSame(judge({ 'if-none-match': '"x", W/"a"' }, selected, true, now), { is: 'not modified', tag: { weak: true, opaque: 'a' } })
})

t.test('for any fields it says what §13.2.2 says, step by step', async (t) => {
  const list = fc.array(fc.constantFrom('"a"', 'W/"a"', '"b"', 'b'), { maxLength: 3 }).map((tags) => tags.join(', '))
  const field = fc.option(fc.oneof(fc.constant('*'), list), { nil: undefined })
  const date = fc.option(fc.constantFrom(before, at, formatHttpDate(modified + 1_000), 'no date'), { nil: undefined })
  const fields = fc.record({ 'if-match': field, 'if-none-match': field, 'if-modified-since': date, 'if-unmodified-since': date })
  fc.assert(fc.property(fields, fc.boolean(), fc.boolean(), (fields, isRead, exists) => {
    const of = exists ? selected : absent
    assert.equal(verdict(fields, { isRead, of }), byTheBook(fields, isRead, exists))
  }), { numRuns: 2_000 })
  t.pass('2,000 sets of fields')
})

/** As the section numbers its steps; nothing else is in common. */
function byTheBook (fields: ConditionalFields, isRead: boolean, exists: boolean): string {
  const time = (field: 'if-modified-since' | 'if-unmodified-since'): number => Date.parse(fields[field]!)
  const has = (field: 'if-match' | 'if-none-match', strongly: boolean): boolean => {
    const tags = parseEntityTags(fields[field]!)
    return exists && (tags === '*' || (tags ?? []).some(({ weak, opaque }: EntityTag) => opaque === 'a' && (!strongly || !weak)))
  }
  // 1, 2
  if (fields['if-match'] !== undefined) {
    if (!has('if-match', true)) return 'failed by if-match'
  } else if (fields['if-unmodified-since'] !== undefined && exists && modified > time('if-unmodified-since')) return 'failed by if-unmodified-since'
  // 3, 4
  if (fields['if-none-match'] !== undefined) {
    // What cannot be read is for the section to leave open.
    if (!isRead && exists && parseEntityTags(fields['if-none-match']) === undefined) return 'failed by if-none-match'
    if (has('if-none-match', false)) return isRead ? 'not modified' : 'failed by if-none-match'
  } else if (isRead && exists && fields['if-modified-since'] !== undefined && modified <= time('if-modified-since')) return 'not modified'
  // 6
  return 'proceed'
}

t.test('whether anything is asked is seen by the four fields', async (t) => {
  t.notOk(isConditional({}))
  for (const field of ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'] as const) t.ok(isConditional({ [field]: 'x' }))
})
