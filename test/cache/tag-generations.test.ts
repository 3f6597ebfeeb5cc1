import fc from 'fast-check'
import t from 'tap'
import { Tags, type Dependent } from '../../plugins/cache/tags.js'

/** What depends on these tags as they stand now. */
function dependentOn (tags: Tags, ...names: string[]): Dependent {
  return { tags: names.map((tag) => ({ tag, generation: tags.current(tag) })), checked: 0 }
}

t.test('a value is void once one of its tags was invalidated, and only then', (t) => {
  const tags = new Tags()
  const [both, other] = [dependentOn(tags, 'a', 'b'), dependentOn(tags, 'b', 'c')]
  t.equal(tags.voids(both), false)
  tags.invalidate(['a'])
  t.equal(tags.voids(both), true)
  t.equal(tags.voids(other), false)
  tags.current('a')
  t.equal(tags.voids(both), true, 'also when the tag has a new generation')
  t.end()
})

t.test('to a process that knows nothing yet, whatever depends on a tag is void', (t) => {
  const tags = new Tags()
  const dependent = { tags: [{ tag: 'a', generation: 'from before' }], checked: 0 }
  t.equal(tags.voids(dependent), true)
  tags.learn('a', undefined, tags.moment())
  t.equal(tags.voids(dependent), true, 'and so it is when Redis has no generation of it')
  t.end()
})

t.test('a value that was compared is compared again after the next invalidation', (t) => {
  const tags = new Tags()
  const dependent = dependentOn(tags, 'a')
  tags.invalidate(['other'])
  t.equal(tags.voids(dependent), false)
  t.equal(tags.voids(dependent), false)
  tags.invalidate(['a'])
  t.equal(tags.voids(dependent), true)
  t.end()
})

t.test('an answer to a question from before an invalidation teaches nothing', (t) => {
  const tags = new Tags()
  tags.learn('a', 'old........', tags.moment())
  const asked = tags.moment()
  tags.invalidate(['a'])
  tags.learn('a', 'old........', asked)
  t.equal(tags.voids({ tags: [{ tag: 'a', generation: 'old........' }], checked: 0 }), true)
  tags.learn('a', 'new........', tags.moment())
  t.equal(tags.voids({ tags: [{ tag: 'a', generation: 'new........' }], checked: 0 }), false)
  t.end()
})

t.test('what another process made of a tag voids what depends on its generation from before', (t) => {
  const tags = new Tags()
  tags.learn('a', 'first......', tags.moment())
  const dependent = dependentOn(tags, 'a')
  t.equal(tags.voids(dependent), false)
  tags.learn('a', 'second.....', tags.moment())
  t.equal(tags.voids(dependent), true)
  const young = dependentOn(tags, 'a')
  t.equal(tags.voids(young), false)
  tags.learn('a', undefined, tags.moment())
  t.equal(tags.voids(young), true, 'and so does a generation that Redis has no more')
  t.end()
})

t.test('a generation counts as known before a load only if it was learnt before it', (t) => {
  const tags = new Tags()
  tags.learn('a', 'first......', tags.moment(), 100)
  const start = tags.moment()
  t.equal(tags.knownBefore('a', start), 'first......')
  tags.learn('a', 'first......', tags.moment(), 200)
  t.equal(tags.knownBefore('a', start), 'first......', 'said again, it is no younger')
  t.equal(tags.lasts('a', 200), true)
  t.equal(tags.lasts('a', 201), false)
  tags.learn('b', 'first......', tags.moment())
  t.equal(tags.knownBefore('b', start), undefined)
  tags.invalidate(['a'])
  t.equal(tags.knownBefore('a', start), undefined)
  t.equal(tags.lasts('a', 1), false)
  t.end()
})

t.test('when messages may have been missed, nothing is known, and all is void', (t) => {
  const tags = new Tags()
  const dependent = dependentOn(tags, 'a')
  tags.voids(dependent)
  tags.forget()
  t.equal(tags.voids(dependent), true)
  t.equal(tags.knownBefore('a', tags.moment()), undefined)
  t.end()
})

t.test('an invalidation too long ago to be remembered may have been of any tag', (t) => {
  const tags = new Tags(2)
  const before = tags.moment()
  tags.invalidate(['a'])
  const between = tags.moment()
  t.equal(tags.invalidatedSince('z', before), false)
  tags.invalidate(['b'])
  tags.invalidate(['c'])
  t.equal(tags.invalidatedSince('a', before), true, 'the forgotten one')
  t.equal(tags.invalidatedSince('z', before), true, 'and, as nobody knows, any other')
  t.equal(tags.invalidatedSince('z', between), false, 'what began after it is not touched')
  tags.learn('a', 'old........', before)
  t.equal(tags.knownBefore('a', tags.moment()), undefined, 'no answer from before it is believed')
  t.end()
})

t.test('a tag that was forgotten for want of room makes values void, and none valid again', (t) => {
  const tags = new Tags(2)
  const dependent = dependentOn(tags, 'a')
  const [generation] = dependent.tags.map(({ generation }) => generation)
  tags.invalidate(['a'])
  for (const tag of ['b', 'c', 'd']) tags.current(tag)
  t.not(tags.current('a'), generation)
  t.equal(tags.voids(dependent), true)
  t.end()
})

const step = fc.oneof(
  fc.record({ kind: fc.constantFrom<'keep' | 'invalidate' | 'touch' | 'check'>('keep', 'invalidate', 'touch', 'check'), tag: fc.integer({ min: 0, max: 7 }).map(String) }),
  fc.record({ kind: fc.constant('forget' as const), tag: fc.constant('') })
)

t.test('however few tags are remembered, nothing that was invalidated is ever valid again', (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (most, steps) => {
    const tags = new Tags(most)
    let kept: Array<{ dependent: Dependent, on: string, invalidated: boolean }> = []
    for (const { kind, tag } of steps) {
      if (kind === 'keep') kept.push({ dependent: dependentOn(tags, tag), on: tag, invalidated: false })
      if (kind === 'touch') tags.current(tag)
      if (kind === 'invalidate') {
        tags.invalidate([tag])
        kept = kept.map((one) => one.on === tag ? { ...one, invalidated: true } : one)
      }
      if (kind === 'forget') {
        tags.forget()
        kept = kept.map((one) => ({ ...one, invalidated: true }))
      }
      for (const { dependent, invalidated } of kept) if (invalidated && !tags.voids(dependent)) return false
      if (kind === 'check') for (const { dependent } of kept) tags.voids(dependent)
    }
    return true
  }), { numRuns: 2_000 })
  t.pass('two thousand histories')
  t.end()
})
