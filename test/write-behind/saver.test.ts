import t from 'tap'
import type { Write } from '../../plugins/write-behind/record.js'
import { Saver, type SaverOptions } from '../../plugins/write-behind/saver.js'
import { isSourceAway } from '../../plugins/write-behind/source-away.js'

const never = new AbortController().signal
const writes: Write[] = ['a', 'b', 'c'].map((id, index) => ({ id, value: id, version: index + 1 }))
const away = (): Error => Object.assign(new Error('away'), { code: 'ECONNREFUSED' })

function build (options: Partial<SaverOptions>): Saver {
  return new Saver({ save: () => {}, saveMany: undefined, saveTimeout: 10_000, isOutage: isSourceAway, ...options })
}

const kinds = async (saver: Saver, ...more: Parameters<Saver['run']> extends [unknown, unknown, ...infer Rest] ? Rest : never): Promise<string[]> =>
  (await saver.run(writes, never, ...more)).map(({ kind }) => kind)

t.test('what saveMany says of its writes is what becomes of them', async (t) => {
  for (const [given, expected] of [
    [undefined, ['saved', 'saved', 'saved']],
    [[undefined, new Error('no')], ['saved', 'failed', 'saved']],
    [new Map([['c', new Error('no')]]), ['saved', 'saved', 'failed']],
    [[{ status: 'fulfilled', value: 1 }, { status: 'rejected', reason: new Error('no') }, { status: 'fulfilled' }], ['saved', 'failed', 'saved']]
  ] as const) t.strictSame(await kinds(build({ saveMany: () => given })), expected)
})

t.test('where saveMany throws, each is saved for itself', async (t) => {
  const saver = build({ saveMany: () => { throw new Error('one of them') }, save: (id) => { if (id === 'b') throw new Error('no') } })
  t.strictSame(await kinds(saver), ['saved', 'failed', 'saved'])
  t.strictSame(await kinds(saver, () => false, () => false), ['put off', 'put off', 'put off'], 'unless no save may be begun any more')
})

t.test('what changes its writes and throws has changed copies', async (t) => {
  const seen: unknown[] = []
  const saver = build({ saveMany: (all) => { for (const write of all) Object.assign(write, { value: 'changed' }); throw new Error('no') }, save: (_id, value) => { seen.push(value) } })
  await kinds(saver)
  t.strictSame(seen, ['a', 'b', 'c'])
})

t.test('where the source is away it is of all, and where others are saved at the same time it is not', async (t) => {
  t.strictSame(await kinds(build({ saveMany: () => { throw away() } })), ['outage', 'outage', 'outage'])
  t.strictSame(await kinds(build({ save: (id) => { if (id === 'b') throw away() } })), ['saved', 'failed', 'saved'])
  const saver = build({ saveMany: (all) => { if (all.some(({ id }) => id === 'b')) throw away() }, save: () => { throw away() } })
  t.strictSame(await kinds(saver, (index) => index === 1), ['saved', 'failed', 'saved'], 'saved alone, one says nothing of the others')
})

t.test('an error that has itself in it ends nothing', async (t) => {
  const circular = Object.assign(new AggregateError([], 'no'), {})
  circular.errors.push(circular)
  t.strictSame(await kinds(build({ save: () => { throw circular } })), ['failed', 'failed', 'failed'])
  t.equal(isSourceAway(undefined), false)
})

t.test('when it is told to end, a save says nothing, whatever it throws', async (t) => {
  const ended = new AbortController()
  const saver = build({ save: async (_id, _value, { signal }) => { await new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(new Error('aborted')) }) }) } })
  const outcomes = saver.run(writes, ended.signal)
  ended.abort(new Error('the lease has ended'))
  t.strictSame((await outcomes).map(({ kind }) => kind), ['put off', 'put off', 'put off'])
  t.strictSame((await saver.run(writes, ended.signal)).map(({ kind }) => kind), ['put off', 'put off', 'put off'])
})

t.test('a write that was in another\'s way is not given up for that, as little as one whose source is away', async (t) => {
  for (const code of ['40001', '40P01', '57P01']) t.ok(isSourceAway(Object.assign(new Error('x'), { code })), code)
  t.notOk(isSourceAway(Object.assign(new Error('x'), { code: '23505' })))
})
