import t from 'tap'
import type { GetManyOptions, LoadMany } from '../../plugins/cache/index.js'
import { buildApp } from './build-app.js'

const key = (id: number | string) => `user:${id}`
const loads = (answer: unknown) => (() => answer) as LoadMany<unknown, number>

t.test('one error that all failed ids share is what the call rejects with', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const shared = new Error('shard 2 is away')
  const caught: unknown = await cache.getMany([1, 2, 3], { key, load: loads(['a', shared, shared]) }).catch((reason: unknown) => reason)
  t.equal(caught, shared)
})

t.test('different errors come as one, which has them all in the order of the ids', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const [first, second] = [new Error('first'), new TypeError('second')]
  const call = cache.getMany([1, 2, 3, 4], { key, load: loads(new Map<number, unknown>([[4, second], [2, first], [1, 'a']])) })
  await t.rejects(call, { code: 'FST_HEADROOM_CACHE_BATCH', statusCode: 500, message: 'cache: 2 of 4 ids could not be loaded' })
  const { errors } = await call.catch((error: unknown) => error) as { errors: unknown[] }
  t.equal(errors.length, 2)
  t.equal(errors[0], first)
  t.equal(errors[1], second)
})

t.test('each failed place of an id that comes twice is counted and named', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const [first, second] = [new Error('first'), new Error('second')]
  const call = cache.getMany([1, 2, 1], { key, load: loads([first, second]) })
  await t.rejects(call, { message: 'cache: 3 of 3 ids could not be loaded' })
  t.match(await call.catch((error: unknown) => error), { errors: [first, second, first] })
})

const answers: Array<[title: string, answer: unknown, message: string]> = [
  ['a shorter array', ['a'], 'cache: expected a bulk load to give an array of 2, one for each id, got 1'],
  ['a longer array', ['a', 'b', 'c'], 'cache: expected a bulk load to give an array of 2, one for each id, got 3'],
  ['an object by id', { 1: 'a', 2: 'b' }, 'cache: expected a bulk load to give a Map by id or an array in the order of the ids, got an object'],
  ['a Set', new Set(['a', 'b']), 'cache: expected a bulk load to give a Map by id or an array in the order of the ids, got an instance of Set'],
  ['a text', 'ab', 'cache: expected a bulk load to give a Map by id or an array in the order of the ids, got "ab"'],
  ['nothing', undefined, 'cache: expected a bulk load to give a Map by id or an array in the order of the ids, got undefined'],
  ['null', null, 'cache: expected a bulk load to give a Map by id or an array in the order of the ids, got null']
]
for (const [title, answer, message] of answers) {
  t.test(`${title} in answer to two ids is an error that says what was expected, and nothing is kept`, async (t) => {
    const { cache } = await buildApp(t, { redis: false })
    await t.rejects(cache.getMany([1, 2], { key, load: loads(answer) }), { code: 'FST_HEADROOM_CACHE_LOAD', message })
    const settled = await cache.getMany([1, 2], { key, load: loads(answer), settle: true })
    t.match(settled, [{ status: 'rejected', reason: { message } }, { status: 'rejected', reason: { message } }])
    t.equal(await cache.has(key(1)), false)
    t.equal(cache.stats().entries, 0)
  })
}

t.test('holes in an array are ids that there are none of', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const sparse = ['a', , 'c'] // eslint-disable-line no-sparse-arrays
  t.strictSame(await cache.getMany([1, 2, 3], { key, load: loads(sparse) }), ['a', undefined, 'c'])
})

t.test('a key function that throws, or gives no key, fails the call before anything is loaded', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  let asked = 0
  const load = (ids: number[]) => { asked++; return ids }
  const broken = new Error('no tenant')
  await t.rejects(cache.getMany([1, 2], { key: (id) => { if (id === 2) throw broken; return key(id) }, load }), broken)
  for (const [made, got] of [[undefined, 'undefined'], ['', '""'], [7, '7'], [null, 'null']] as const) {
    const bad = ((id: number) => id === 2 ? made : key(id)) as (id: number) => string
    await t.rejects(cache.getMany([1, 2], { key: bad, load, settle: true }), {
      code: 'FST_HEADROOM_CACHE_KEY', message: `cache: expected a non-empty string as the key, got ${got}`
    })
  }
  t.equal(asked, 0)
})

const mistakes: Array<[title: string, options: unknown, code: string, message: RegExp]> = [
  ['no key function', { load: loads([]) }, 'OPTION', /key: expected a function that makes the key for an id, got undefined/],
  ['no loader', { key }, 'LOAD', /expected a function that loads the value, got undefined/],
  ['a misspelt option', { key, load: loads([]), negativTtl: 5 }, 'OPTION', /options\.negativTtl: .*did you mean "negativeTtl"\?/],
  ['a misspelt settle', { key, load: loads([]), setle: true }, 'OPTION', /options\.setle: .*did you mean "settle"\?/],
  ['settle: "yes"', { key, load: loads([]), settle: 'yes' }, 'OPTION', /settle: expected true or false, got "yes"/],
  ['no options', undefined, 'OPTION', /expected an object, got undefined/],
  ['options null', null, 'OPTION', /expected an object, got null/]
]
for (const [title, options, code, message] of mistakes) {
  t.test(`getMany with ${title} rejects and says what was expected`, async (t) => {
    const { cache } = await buildApp(t, { redis: false })
    await t.rejects(cache.getMany([1], options as GetManyOptions<unknown, number> & { settle?: false }), { code: `FST_HEADROOM_CACHE_${code}`, message })
  })
}

t.test('ids that are no array reject before anything is loaded', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  let asked = 0
  const load = (ids: number[]) => { asked++; return ids }
  for (const ids of [new Set([1, 2]), '12', undefined, { 0: 1, length: 1 }]) {
    await t.rejects(cache.getMany(ids as unknown as number[], { key, load }), { code: /^FST_HEADROOM_CACHE_/, message: /expected an array/ })
  }
  t.equal(asked, 0)
})

t.test('what the caller does to its array of ids while they load changes nothing', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const ids = [1, 2]
  const call = cache.getMany(ids, { key, load: async (asked) => asked.map((id) => `name of ${id}`) })
  ids.push(3)
  ids[0] = 4
  t.strictSame(await call, ['name of 1', 'name of 2'])
})

t.test('a loader may take the ids that it is given out of their array', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const load: LoadMany<string, number> = (ids) => {
    const found: string[] = []
    while (ids.length > 0) found.push(...ids.splice(0, 2).map((id) => `name of ${id}`))
    return found
  }
  t.strictSame(await cache.getMany([1, 2, 3], { key, load }), ['name of 1', 'name of 2', 'name of 3'])
})

t.test('the key function is given the id and nothing else', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const tenantKey = (id: number, tenant: unknown = 'default') => `${tenant}:user:${id}`
  t.strictSame(await cache.getMany([1, 2], { key: tenantKey, load: (ids) => ids.map(String) }), ['1', '2'])
  t.equal(await cache.get('default:user:2'), '2')
})
