import t from 'tap'
import { entryOf } from '../../plugins/shared/entry.js'
import { Kept } from '../../plugins/cache/kept.js'

function kept (value: unknown): Kept {
  const made = entryOf(value)
  if (!('entry' in made)) throw new Error(made.unsupported)
  return new Kept(made.entry, { freshUntil: 1, keptUntil: 1, loadTime: 0, tags: [] })
}

t.test('callers of a value that is shared have one promise for all of them', async (t) => {
  for (const value of [{ name: 'Ada' }, 'Ada', 7, null, undefined]) {
    const one = kept(value)
    t.equal(one.promise(), one.promise())
    t.strictSame(await one.promise(), value)
  }
})

t.test('each caller of a value that is copied has its own', async (t) => {
  const one = kept({ born: new Date(0) })
  const [first, second] = await Promise.all([one.promise(), one.promise()]) as Array<{ born: Date }>
  first!.born.setTime(1)
  t.strictSame(second, { born: new Date(0) })
})
