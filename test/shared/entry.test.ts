import { deepStrictEqual } from 'node:assert/strict'
import { deserialize, serialize } from 'node:v8'
import fc from 'fast-check'
import t from 'tap'
import { pack, unpack } from '../../plugins/shared/body.js'
import { entryFrom, entryOf, uncopied, type Entry } from '../../plugins/shared/entry.js'
import { inspectValue } from '../../plugins/shared/value-shape.js'
import { damaged } from './damage.js'

const JSON_BODY = 1
const ASCII_BODY = 4
const STRUCTURED_BODY = 2

const json = (text: string) => Buffer.concat([Buffer.of(JSON_BODY), Buffer.from(text)])
const structured = (value: unknown) => Buffer.concat([Buffer.of(STRUCTURED_BODY), serialize(value)])

function kept (value: unknown): { entry: Entry, bytes: Uint8Array } {
  const own = entryOf(value)
  if ('unsupported' in own) throw new Error(own.unsupported)
  return own
}

/** The entry of the first call, and that of another process: both must give the same. */
const entries = (value: unknown) => {
  const { entry, bytes } = kept(value)
  return [entry, entryFrom(bytes)]
}

const primitives = [
  fc.boolean(), fc.integer(), fc.double(), fc.string({ unit: 'binary' }), fc.constantFrom(null, undefined, -0, NaN, '\ud800', ''), fc.bigInt()
]
const jsonValue = fc.jsonValue({ maxDepth: 4 })
const anyValue = fc.anything({
  values: [...primitives, fc.date({ noInvalidDate: true })], withMap: true, withSet: true, withTypedArray: true, withSparseArray: true, maxDepth: 4
})

t.test('any value comes back with its types, through both tiers, compressed or not, shared or copied', async () => {
  await fc.assert(fc.asyncProperty(fc.oneof(jsonValue, anyValue), fc.boolean(), async (value, compress) => {
    const { entry, bytes } = kept(value)
    const stored = await unpack(await pack(bytes, compress ? 1 : Infinity), bytes.length)
    for (const each of [entry, entryFrom(stored)]) {
      deepStrictEqual(each.value(), value)
      deepStrictEqual(each.copy(), value)
    }
  }), { numRuns: 1_000 })
})

t.test('what JSON gives back exactly is kept as JSON, and nothing else is', async () => {
  fc.assert(fc.property(fc.oneof(jsonValue, anyValue), (value) => {
    const [format] = kept(value).bytes
    if (format === STRUCTURED_BODY) return
    deepStrictEqual(JSON.parse(JSON.stringify(value)), value)
  }), { numRuns: 1_000 })
})

t.test('a plain value is kept as JSON', async (t) => {
  for (const value of ['x', 5, null, true, [], {}, { user: { roles: ['admin'], score: 1.5, note: null } }]) t.equal(kept(value).bytes[0], ASCII_BODY)
  t.equal(kept(['é']).bytes[0], JSON_BODY, 'what is not ASCII in UTF-8')
})

t.test('damaged, cut off and random bodies are an error or a value, never an instance of a class, and pollute nothing', async (t) => {
  const samples = [
    { user: { name: 'Ada', roles: ['admin'] }, list: Array.from({ length: 50 }, (_, n) => ({ n })) },
    { at: new Date(5), map: new Map([['a', [1n]]]), buffer: Buffer.from('abc'), floats: new Float64Array([1]), none: undefined },
    JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')
  ]
  const bodies = samples.flatMap((sample) => [kept(sample).bytes, structured(sample)])
  for (const sample of bodies.slice(0, 2)) bodies.push(await pack(sample, 1))
  let read = 0
  for (let round = 0; round < 20_000; round++) {
    const bytes = damaged(Buffer.from(bodies[round % bodies.length]!))
    // So that random bytes too get past the first.
    if (round % 3 === 0 && bytes.length > 0) bytes[0] = 1 + round % 2
    let value: unknown
    try {
      value = entryFrom(await unpack(bytes, 1_000_000)).value()
    } catch {
      continue
    }
    read++
    const shape = inspectValue(value)
    if (typeof shape === 'object') t.fail(`${shape.unsupported} out of ${bytes.toString('hex')}`)
  }
  t.ok(read > 0 && read < 20_000, `${read} read`)
  t.notOk('polluted' in {})
})

t.test('what structured clone revives but no entry is made of is refused', async (t) => {
  for (const value of [/x/, new Error('secret'), Object('boxed'), Object(1), [{ deep: new TypeError('secret') }], new Map([[/x/, 1]])]) {
    t.throws(() => entryFrom(structured(value)), { name: 'UnreadableBodyError' })
  }
})

t.test('a body nested too deep is refused, before it meets code that recurses', async (t) => {
  t.throws(() => entryFrom(json('['.repeat(100_000) + ']'.repeat(100_000))))
  let nested: unknown = 'end'
  for (let level = 0; level < 600; level++) nested = [nested]
  t.throws(() => entryFrom(structured(nested)))
})

t.test('a few bytes that stand for very much do not hold up the process, and take no memory', async (t) => {
  let graph: unknown[] = []
  for (let level = 0; level < 60; level++) graph = [graph, graph]
  const bytes = structured(graph)
  // Of the processor, which others on the machine do not make longer.
  const began = process.cpuUsage()
  t.ok(entryFrom(bytes).value())
  // V8 makes 256 MB of each: all of it would be more than the heap can be.
  const sparse = Buffer.from('618090a10f40008090a10f', 'hex')
  const count = 100
  const sparses = Buffer.concat([Buffer.of(STRUCTURED_BODY), serialize([]).subarray(0, 2), Buffer.of(65, count), ...Array<Buffer>(count).fill(sparse), Buffer.of(36, 0, count)])
  t.throws(() => entryFrom(sparses), { name: 'UnreadableBodyError' })
  // Behind a text whose length is 2 ** 32, which V8 takes for 0.
  const hidden = Buffer.concat([Buffer.of(STRUCTURED_BODY), serialize([]).subarray(0, 2), Buffer.of(65, 2, 34, 128, 128, 128, 128, 16), sparse, Buffer.of(36, 0, 2)])
  t.throws(() => entryFrom(hidden), { name: 'UnreadableBodyError', message: /holes/ })
  const huge: unknown[] = []
  huge.length = 2 ** 32 - 1
  for (const value of [huge, new Map([['a', huge]])]) {
    t.throws(() => entryFrom(structured(value)), { name: 'UnreadableBodyError' })
    t.match(entryOf(value), { unsupported: 'a part that cannot be copied' })
  }
  const { user, system } = process.cpuUsage(began)
  t.ok(user + system < 1_000_000, `${user + system} µs`)
  t.equal((deserialize(hidden.subarray(1)) as unknown[][])[1]!.length, 32_000_000, 'to V8 it is an array')
})

t.test('dense arrays within each other, each as long as all the bytes, are refused', async (t) => {
  const length = Buffer.from([0xff, 0x7f]) // 16,383
  const level = Buffer.concat([Buffer.from('A'), length])
  const nested = Buffer.concat([Buffer.of(STRUCTURED_BODY, ...serialize(0).subarray(0, 2)), ...Array<Buffer>(5_000).fill(level), Buffer.alloc(20_000, '_')])
  t.throws(() => entryFrom(nested), { name: 'UnreadableBodyError' })
})

t.test('an array with holes keeps them', async () => {
  for (const value of [[1, undefined, 3], Object.assign([], { 0: 1, 2: 3 }), Object.assign([], { 500: 'x' }), [Object.assign([1, 2], { length: 2_000 })]]) {
    for (const entry of entries(value)) for (const given of [entry.value(), entry.copy()]) deepStrictEqual(given, value)
    for (const entry of entries([value, new Date(0)])) deepStrictEqual(entry.value(), [value, new Date(0)])
  }
})

t.test('__proto__ is a key like any other', async (t) => {
  const value = JSON.parse('{"__proto__":{"admin":true},"list":[{"__proto__":1}]}') as object
  for (const entry of [...entries(value), entryFrom(structured(value))]) {
    for (const given of [entry.value(), entry.copy()]) {
      t.equal(JSON.stringify(given), JSON.stringify(value))
      t.equal(Object.getPrototypeOf(given), Object.prototype)
    }
  }
})

t.test('a plain value is one for all, frozen in depth', (t) => {
  for (const value of [{ user: { roles: ['admin'] } }, { user: { roles: ['admin', undefined] } }]) {
    for (const entry of entries(value)) {
      const given = entry.value() as typeof value
      t.equal(given, entry.value())
      t.ok(entry.isShared)
      t.throws(() => given.user.roles.push('root'), TypeError)
      t.throws(() => { given.user = { roles: [] } }, TypeError)
    }
  }
  t.end()
})

t.test('what one caller changes, no other sees', async () => {
  const rich = () => ({ at: new Date(0), map: new Map([['a', [1]]]), buffer: Buffer.from('abc'), raw: new Uint8Array([1]).buffer, plain: { list: [1] } })
  const changeRich = (value: ReturnType<typeof rich>) => {
    value.at.setTime(1)
    value.map.get('a')!.push(2)
    value.buffer.fill(0)
    new Uint8Array(value.raw)[0] = 9
    value.plain.list.push(2)
  }
  const plain = () => ({ plain: { list: [1] }, none: null })
  const structuredPlain = () => ({ ...plain(), none: undefined })
  const changePlain = (value: { plain: { list: number[] } }) => { value.plain.list.push(2) }
  const takeRich = async (entry: Entry) => [entry.value(), entry.value(), entry.copy(), entry.copy()]
  const takeCopies = async (entry: Entry) => [entry.copy(), entry.copy()]
  for (const [make, change, take] of [[rich, changeRich, takeRich], [plain, changePlain, takeCopies], [structuredPlain, changePlain, takeCopies]] as
    Array<[() => unknown, (value: unknown) => void, (entry: Entry) => Promise<unknown[]>]>) {
    const original = make()
    const both = entries(original)
    change(original)
    for (const entry of both) {
      for (const given of await take(entry)) {
        deepStrictEqual(given, make())
        change(given)
      }
      deepStrictEqual(entry.value(), make())
    }
  }
})

t.test('undefined is given to every caller', async (t) => {
  for (const entry of entries(undefined)) t.strictSame([entry.value(), entry.copy(), entry.copy()], [undefined, undefined, undefined])
})

t.test('an entry does not change with the memory that its body was read from', async () => {
  for (const value of [{ a: 'text' }, { at: new Date(0), bytes: Buffer.from('abc') }, { a: undefined }]) {
    const memory = Buffer.from(kept(value).bytes)
    const entry = entryFrom(memory.subarray(0))
    memory.fill(0xff)
    for (const given of [entry.value(), entry.value(), entry.copy()]) deepStrictEqual(given, value)
  }
})

t.test('circles and parts that stand in two places are still the same part', async (t) => {
  const part = { n: 1 }
  const circle: { self?: unknown } = {}
  circle.self = circle
  for (const entry of entries({ a: part, b: part, circle })) {
    for (const given of [entry.value(), entry.copy()] as Array<{ a: unknown, b: unknown, circle: typeof circle }>) {
      t.equal(given.a, given.b)
      t.equal(given.circle.self, given.circle)
    }
  }
})

t.test('an array with keys of its own, such as a match, keeps them', async (t) => {
  for (const entry of entries('abc'.match(/b/))) t.match(entry.value(), { 0: 'b', index: 1, input: 'abc' })
})

t.test('an object without a prototype comes back with that of all objects, from the first call on', async () => {
  const row = Object.assign(Object.create(null) as object, { id: 1 })
  for (const entry of entries([row, new Map([['a', row]])])) deepStrictEqual((entry.value() as unknown[])[0], { id: 1 })
  for (const entry of entries(row)) deepStrictEqual(entry.value(), { id: 1 })
})

t.test('an accessor is read, and what it gives is kept', async () => {
  for (const entry of entries({ get double () { return 2 * 2 } })) deepStrictEqual(entry.value(), { double: 4 })
})

t.test('a toJSON that is not part of the value does not change it', async () => {
  const value = Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'something else' })
  for (const entry of entries(value)) deepStrictEqual(entry.value(), { a: 1 })
})

t.test('what cannot be kept is named by its kind, and an error of its own is not quoted', async (t) => {
  t.strictSame(entryOf({ a: () => {} }), { unsupported: 'a function' })
  t.strictSame(entryOf({ get a () { throw new Error('secret') } }), { unsupported: 'a part that cannot be copied' })
  const detached = new ArrayBuffer(8)
  structuredClone(detached, { transfer: [detached] })
  t.strictSame(entryOf({ detached }), { unsupported: 'a part that cannot be copied' })
})

t.test('an entry weighs at least what it holds', async (t) => {
  const text = 'x'.repeat(10_000)
  for (const value of [text, { text }, { text, at: new Date() }, { text, none: undefined }, '👋'.repeat(5_000), Buffer.alloc(10_000)]) {
    for (const { size } of entries(value)) t.ok(size >= 10_000 && size < 30_000, `${size}`)
  }
  for (const { size } of entries(Array.from({ length: 1_000 }, () => ({})))) t.ok(size >= 60_000)
  const [first, second] = entries({ user: { roles: ['admin'], at: 'é' } })
  t.equal(first!.size, second!.size, 'the same in every process')
})

t.test('an uncopied entry gives the object itself', async (t) => {
  const value = { save () {} }
  const entry = uncopied(value)
  t.equal(entry.value(), value)
  t.equal(entry.size, 0)
})
