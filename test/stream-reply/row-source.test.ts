import fc from 'fast-check'
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { openRows, RowSource } from '../../plugins/stream-reply/row-source.js'
import { gate } from '../helpers/gate.js'

const encode = (row: object): string => `${JSON.stringify(row)}\n`
const OPTIONS = { format: 'ndjson', columns: undefined, serialize: undefined, shown: undefined, isGuarded: false } as const

const numbered = (count: number): Array<{ i: number }> => Array.from({ length: count }, (_, i) => ({ i }))

async function chunksOf (source: { read: () => Promise<string | Uint8Array | undefined> }): Promise<{ chunks: string[], error?: Error }> {
  const chunks: string[] = []
  try {
    for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) chunks.push(String(chunk))
  } catch (error) {
    return { chunks, error: error as Error }
  }
  return { chunks }
}

/** Of one kind or the other; counts how often it was told that nobody wants more. */
function watched (kind: 'sync' | 'async', next: (index: number) => unknown): { rows: AsyncIterable<object>, returned: () => number } {
  let index = 0
  let returned = 0
  const step = (): IteratorResult<object> => {
    const value = next(index++)
    return value === undefined ? { done: true, value } : { done: false, value: value as object }
  }
  const iterator = {
    next: kind === 'sync' ? step : async () => step(),
    return: () => {
      returned++
      return kind === 'sync' ? { done: true, value: undefined } : Promise.reject(new Error('of return'))
    }
  }
  return { rows: { [kind === 'sync' ? Symbol.iterator : Symbol.asyncIterator]: () => iterator } as unknown as AsyncIterable<object>, returned: () => returned }
}

t.test('rows of arrays, generators and async generators come in their order, all of them', async (t) => {
  const rows = numbered(2_500)
  const expected = rows.map(encode).join('')
  for (const [name, source] of Object.entries({
    array: rows,
    generator: (function * () { yield * rows })(),
    'async generator': (async function * () { yield * rows })(),
    'array of promises': rows.map(async (row) => row) as object[]
  })) {
    const { source: opened } = await openRows(source, { ...OPTIONS, signal: new AbortController().signal })
    const { chunks, error } = await chunksOf(opened)
    t.equal(error, undefined)
    t.equal(chunks.join(''), expected, name)
    t.equal(opened.rows, 2_500)
    t.ok(chunks.length <= 5, `${name}: put together`)
    t.equal(await opened.read(), undefined, 'the end stays the end')
  }
})

t.test('rows that are large come in chunks that are not much larger', async (t) => {
  const { chunks } = await chunksOf(new RowSource(Array.from({ length: 20 }, () => ({ text: 'x'.repeat(30_000) })), encode))
  t.equal(chunks.length, 7)
})

t.test('who has all rows at once leaves others their turn', async (t) => {
  let turns = 0
  let counter = setImmediate(function count () { turns++; counter = setImmediate(count) })
  await chunksOf(new RowSource((function * () { for (let i = 0; i < 50_000; i++) yield { i } })(), encode))
  clearImmediate(counter)
  t.ok(turns >= 40, `${turns} turns`)
})

t.test('a row that has to be waited for holds back none that came before it', async (t) => {
  const rows = gate<{ i: number } | undefined>()
  const source = new RowSource((async function * () {
    for (let row = await rows.pass(); row !== undefined; row = await rows.pass()) yield row
  })(), encode)
  const first = source.read()
  rows.letOne({ i: 0 })
  t.equal(await first, '{"i":0}\n')
  const second = source.read()
  await rows.arrived(2)
  rows.letOne({ i: 1 })
  rows.letOne({ i: 2 })
  t.equal(await second, '{"i":1}\n{"i":2}\n')
  const third = source.read()
  rows.open(undefined)
  t.equal(await third, undefined)
})

t.test('an error comes after the rows that came before it, and stays', async (t) => {
  for (const kind of ['sync', 'async'] as const) {
    const { rows, returned } = watched(kind, (i) => { if (i === 3) throw new Error('broken'); return { i } })
    const source = new RowSource(rows as AsyncIterable<Record<string, unknown>>, encode)
    const { chunks, error } = await chunksOf(source)
    t.equal(chunks.join(''), numbered(3).map(encode).join(''), kind)
    t.equal(error?.message, 'broken')
    await t.rejects(source.read(), { message: 'broken' })
    t.equal(source.rows, 3)
    source.close()
    t.equal(returned(), 0, 'it has ended by itself')
  }
})

t.test('of a row that cannot be encoded those before it come, then the error, and the source is told', async (t) => {
  const { rows, returned } = watched('async', (i) => ({ i: i === 3 ? 3n : i }))
  const { source, close } = await openRows(rows, { ...OPTIONS, signal: new AbortController().signal })
  const { chunks, error } = await chunksOf(source)
  t.equal(chunks.join(''), numbered(3).map(encode).join(''))
  t.ok(error instanceof TypeError)
  t.equal(source.rows, 3)
  await close()
  await close()
  t.equal(returned(), 1)
})

t.test('what is thrown and is no error becomes one', async (t) => {
  for (const thrown of [undefined, null, 'broken', 0]) {
    const source = new RowSource((function * (): Generator<Record<string, unknown>> {
      yield {}
      throw thrown // eslint-disable-line @typescript-eslint/only-throw-error
    })(), encode)
    t.equal(await source.read(), '{}\n')
    await t.rejects(source.read(), { code: 'FST_HEADROOM_STREAM_REPLY_ROW', cause: thrown })
  }
})

t.test('a source is told once that nobody wants more, in whatever order it is read and closed, and never after its end', async (t) => {
  const steps = fc.array(fc.constantFrom('read', 'close', 'wait'), { maxLength: 8 })
  await fc.assert(fc.asyncProperty(fc.constantFrom('sync', 'async'), fc.integer({ min: 0, max: 3 }), fc.boolean(), steps, async (kind, count, fails, steps) => {
    let hasEnded = false
    const { rows, returned } = watched(kind, (i) => {
      if (i < count) return { i }
      hasEnded = true
      if (fails) throw new Error('broken')
      return undefined
    })
    const source = new RowSource(rows as AsyncIterable<Record<string, unknown>>, encode)
    let reading: Promise<unknown> = Promise.resolve()
    let isClosed = false
    let hadEnded = false
    for (const step of steps) {
      if (step === 'wait') await reading
      else if (step === 'read') reading = reading.then(async () => await source.read()).catch(() => {})
      else {
        await turn()
        if (!isClosed) hadEnded = hasEnded
        isClosed = true
        source.close()
      }
    }
    await reading
    assert.equal(returned(), isClosed && !hadEnded ? 1 : 0)
    if (isClosed) assert.equal(await source.read().catch(() => undefined), undefined)
  }), { numRuns: 200 })
  t.pass('200 orders')
})

t.test('a generator that is closed in the middle runs what it has in finally', async (t) => {
  let isOver = false
  const { source, close } = await openRows(async function * () {
    try {
      for (let i = 0; ; i++) yield { i }
    } finally {
      isOver = true
    }
  }, { ...OPTIONS, signal: new AbortController().signal })
  await source.read()
  await close()
  await turn()
  t.ok(isOver)
})

t.test('a function gets the signal, and is not waited for when that says stop; what it makes then is closed', async (t) => {
  const made = gate<AsyncIterable<object>>()
  const controller = new AbortController()
  let given: AbortSignal | undefined
  const opening = openRows(({ signal }) => { given = signal; return made.pass() }, { ...OPTIONS, signal: controller.signal })
  await made.arrived()
  t.equal(given, controller.signal)
  controller.abort(new Error('too late'))
  await t.rejects(opening, { message: 'too late' })
  const { rows, returned } = watched('async', (i) => ({ i }))
  made.open(rows)
  await turn()
  t.equal(returned(), 1)
  await t.rejects(openRows(() => { t.fail('is not called'); return [] }, { ...OPTIONS, signal: controller.signal }), { message: 'too late' })
})

t.test('what a function throws is what is said; what is not iterable is an error that says so', async (t) => {
  const { signal } = new AbortController()
  await t.rejects(openRows(() => { throw new Error('broken') }, { ...OPTIONS, signal }), { message: 'broken' })
  await t.rejects(openRows(async () => { throw new Error('broken') }, { ...OPTIONS, signal }), { message: 'broken' })
  for (const rows of [undefined, null, 1, 'text', {}, () => undefined, async () => ({})]) {
    await t.rejects(openRows(rows as [], { ...OPTIONS, signal }), { code: 'FST_HEADROOM_STREAM_REPLY_OPTION', message: /iterable/ })
  }
})

t.test('nothing is opened for a reply that cannot be encoded', async (t) => {
  const { signal } = new AbortController()
  await t.rejects(openRows(() => { t.fail('is not called'); return [] }, { ...OPTIONS, format: 'csv', serialize: JSON.stringify, signal }), { code: 'FST_HEADROOM_STREAM_REPLY_ROW' })
})
