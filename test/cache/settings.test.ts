import fastify from 'fastify'
import t from 'tap'
import cachePlugin, { type CacheDefaults, type CacheEntryOptions } from '../../plugins/cache/index.js'
import { buildApp } from './build-app.js'

const duration = "(milliseconds, or a string such as '250ms' or '15m')"
const kept = `a duration of zero or more and 36500 days at most ${duration}`
const waited = `a duration of 1 ms or more and 2147483647 ms at most ${duration}`
const size = "a size of 1 byte or more (bytes, or a string such as '64kb' or '16mb')"

const durations = [0, 1.5, 60_000, '0s', '250ms', '1.5s', '15 m', '1H', '36500d']
const noDurations: Array<[unknown, string]> = [
  [-1, '-1'], [NaN, 'NaN'], [Infinity, 'Infinity'], ['5', '"5"'], ['', '""'], ['5 minutes', '"5 minutes"'], ['-5s', '"-5s"'], ['36501d', '"36501d"'],
  [null, 'null'], [true, 'true'], [5n, '5n'], [{}, 'an object'], [[5], 'an array of 1'], [new Date(0), 'an instance of Date'], [() => 5, 'a function']
]
const timeouts = [1, 250, '1ms', '30s', 2 ** 31 - 1]
const noTimeouts: Array<[unknown, string]> = [[0, '0'], ['0s', '"0s"'], [0.5, '0.5'], [2 ** 31, '2147483648'], ['25d', '"25d"'], [null, 'null'], [false, 'false']]

/** What each option accepts, what not, and how that is said. */
const table: Record<keyof CacheDefaults, { accepted: unknown[], refused: Array<[unknown, string]>, expected: string }> = {
  ttl: { accepted: durations, refused: noDurations, expected: kept },
  stale: { accepted: durations, refused: noDurations, expected: kept },
  staleOnError: { accepted: durations, refused: noDurations, expected: kept },
  negativeTtl: { accepted: durations, refused: noDurations, expected: kept },
  softTimeout: { accepted: timeouts, refused: noTimeouts, expected: waited },
  hardTimeout: { accepted: timeouts, refused: noTimeouts, expected: waited },
  jitter: {
    accepted: [0, 0.5, 1],
    refused: [[-0.1, '-0.1'], [1.1, '1.1'], [NaN, 'NaN'], ['0.5', '"0.5"'], [true, 'true'], [null, 'null']],
    expected: 'a number from 0 to 1'
  },
  refreshAhead: {
    accepted: [true, false, 0.01, 1, 100],
    refused: [[0, '0'], [101, '101'], [-1, '-1'], [NaN, 'NaN'], ['yes', '"yes"'], [null, 'null']],
    expected: 'true, false, or a number from 0.01 to 100'
  },
  maxBytes: {
    accepted: [1, 1_000, '1b', '64kb', '1.5mb', '1GB'],
    refused: [[0, '0'], [-1, '-1'], ['0b', '"0b"'], ['5', '"5"'], ['5 bytes', '"5 bytes"'], [false, 'false'], [null, 'null'], [Infinity, 'Infinity']],
    expected: size
  },
  clone: { accepted: [true, false], refused: [[0, '0'], ['true', '"true"'], [null, 'null']], expected: 'true or false' }
}

for (const [key, { accepted, refused, expected }] of Object.entries(table)) {
  t.test(`${key}, as a default of the plugin and of a call, accepts what it says`, async (t) => {
    const { cache } = await buildApp(t, { redis: false })
    for (const value of [...accepted, undefined]) {
      const options = { [key]: value } as CacheEntryOptions
      await t.resolves(buildApp(t, { redis: false, ...options }), `plugin: ${String(value)}`)
      t.equal(await cache.getOrSet(`${key} ${String(value)} ${typeof value}`, () => 'loaded', options), 'loaded', `call: ${String(value)}`)
    }
  })

  t.test(`${key}, as a default of the plugin and of a call, refuses anything else and says what it expects`, async (t) => {
    const { cache } = await buildApp(t, { redis: false })
    let loads = 0
    for (const [value, got] of refused) {
      const options = { [key]: value } as CacheEntryOptions
      const error = { code: 'FST_HEADROOM_CACHE_OPTION', message: `cache: options.${key}: expected ${expected}, got ${got}` }
      const app = fastify()
      await t.rejects(async () => { await app.register(cachePlugin, { redis: false, ...options }) }, error)
      await app.close()
      await t.rejects(cache.getOrSet(`${key}`, () => { loads++ }, options), error)
      await t.rejects(cache.getMany([1], { key: () => key, load: () => { loads++; return [] }, ...options }), error)
      await t.rejects(cache.set(key, 'value', options), error)
    }
    t.equal(loads, 0)
    t.equal(cache.stats().entries, 0)
  })
}

t.test('a call accepts tags and a signal, and refuses what is none', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const load = () => 'loaded'
  t.equal(await cache.getOrSet('a', load, { tags: ['users', 'ünïcode 🙂', 'x'.repeat(1_024)], signal: new AbortController().signal }), 'loaded')
  const mistakes: Array<[options: unknown, message: string]> = [
    [{ tags: 'users' }, 'cache: options.tags: expected an array of tags, got "users"'],
    [{ tags: new Set(['users']) }, 'cache: options.tags: expected an array of tags, got an instance of Set'],
    [{ signal: new AbortController() }, 'cache: options.signal: expected an AbortSignal, got an instance of AbortController'],
    [{ signal: null }, 'cache: options.signal: expected an AbortSignal, got null']
  ]
  for (const [options, message] of mistakes) {
    await t.rejects(cache.getOrSet('b', load, options as CacheEntryOptions), { code: 'FST_HEADROOM_CACHE_OPTION', message })
  }
  for (const tag of ['', 7, null, 'a\nb', '\0', '\ud800', 'x'.repeat(1_025)]) {
    await t.rejects(cache.getOrSet('b', load, { tags: ['sound', tag as string] }), { code: 'FST_HEADROOM_CACHE_TAG' })
  }
})

t.test('a hole among the tags is refused, as a tag that is undefined is', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  // eslint-disable-next-line no-sparse-arrays
  const options = { tags: ['a', , 'b'] as string[] }
  const error = { code: 'FST_HEADROOM_CACHE_TAG', message: /got undefined/ }
  await t.rejects(cache.getOrSet('a', () => 1, options), error)
  await t.rejects(cache.getMany([1], { key: String, load: () => [1], ...options }), error)
  await t.rejects(cache.set('a', 1, options), error)
  t.throws(() => cache.resource('things', { key: String, load: () => 1, ...options }), error)
  t.equal(cache.stats().loads, 0)
})

t.test('tags and a signal are no defaults of the plugin', async (t) => {
  for (const key of ['tags', 'signal']) {
    const app = fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => { await app.register(cachePlugin, { redis: false, [key]: [] }) }, {
      code: 'FST_HEADROOM_CACHE_OPTION', message: new RegExp(`^cache: options\\.${key}: .*, got the unknown key "${key}"`)
    })
  }
})

t.test('a misspelt option of a call is named, with the nearest that there is', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  for (const [key, near] of [['tll', 'ttl'], ['stael', 'stale'], ['hardTimeOut', 'hardTimeout'], ['tag', 'tags'], ['MaxBytes', 'maxBytes'], ['constructor', '']]) {
    await t.rejects(cache.getOrSet('a', () => 1, { [key!]: 5 }), {
      code: 'FST_HEADROOM_CACHE_OPTION',
      message: new RegExp(`^cache: options\\.${key}: expected one of the keys ttl, .*, got the unknown key "${key}"${near === '' ? '$' : `; did you mean "${near}"\\?$`}`)
    })
  }
})

t.test('options that are no object are refused', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  for (const [options, got] of [
    [null, 'null'], [5, '5'], ['5m', '"5m"'], [true, 'true'], [[], 'an array of 0'], [['5m'], 'an array of 1'], [() => {}, 'a function']
  ] as Array<[CacheEntryOptions, string]>) {
    const error = { code: 'FST_HEADROOM_CACHE_OPTION', message: `cache: options: expected an object, got ${got}` }
    await t.rejects(cache.getOrSet('a', () => 1, options), error)
    await t.rejects(cache.set('a', 1, options), error)
  }
  t.equal(await cache.getOrSet('a', () => 1, undefined), 1)
})

t.test('options may be frozen, without a prototype, and made of getters', async (t) => {
  const { cache, clock } = await buildApp(t, { redis: false })
  let read = 0
  const forms: Array<[string, CacheEntryOptions]> = [
    ['frozen', Object.freeze({ ttl: '1s', tags: Object.freeze(['users']) })],
    ['without a prototype', Object.assign(Object.create(null) as CacheEntryOptions, { ttl: '1s' })],
    ['getters', Object.freeze({ get ttl () { read++; return '1s' } })]
  ]
  for (const [name, options] of forms) {
    await cache.getOrSet(name, () => 1, options)
    t.equal(await cache.has(name), true, name)
    clock.milliseconds += 1_000
    t.equal(await cache.has(name), false, name)
  }
  t.equal(read, 1, 'each is read once')
})

t.test('what is inherited is the same to every method: no option', async (t) => {
  const { cache, clock } = await buildApp(t, { redis: false, ttl: '1h' })
  const options = Object.create({ ttl: '1s', tll: '1s' }) as CacheEntryOptions
  await cache.getOrSet('getOrSet', () => 1, options)
  await cache.set('set', 1, options)
  await cache.getMany([1], Object.assign(Object.create({ ttl: '1s' }) as object, { key: () => 'getMany', load: () => [1] }))
  clock.milliseconds += 1_000
  for (const key of ['getOrSet', 'set', 'getMany']) t.equal(await cache.has(key), true, key)
})

t.test('what is done to options after the call changes nothing', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const tags = ['users']
  const call = cache.getOrSet('a', async () => 1, { tags })
  tags.push('others', 7 as unknown as string)
  await call
  t.equal(await cache.has('a'), true)
  await cache.invalidateTags('others')
  t.equal(await cache.has('a'), true)
  await cache.invalidateTags('users')
  t.equal(await cache.has('a'), false)
})

t.test('what a call says goes before what the plugin says, and that before what is built in', async (t) => {
  const { cache, clock } = await buildApp(t, { redis: false, ttl: '10s', clone: true, maxBytes: 100 })
  await cache.getOrSet('plugin', () => 1)
  await cache.getOrSet('call', () => 1, { ttl: '20s' })
  await cache.getOrSet('undefined', () => 1, { ttl: undefined as unknown as string })
  t.equal(Object.isFrozen(await cache.getOrSet('clone', () => ({}))), false)
  t.equal(Object.isFrozen(await cache.get('clone')), false)
  t.equal(Object.isFrozen(await cache.getOrSet('frozen', () => ({}), { clone: false })), true)
  await cache.getOrSet('large', () => 'x'.repeat(200), { maxBytes: '1kb' })
  await cache.getOrSet('too large', () => 'x'.repeat(200))
  t.strictSame([await cache.has('large'), await cache.has('too large')], [true, false])
  clock.milliseconds += 10_000
  t.strictSame(await Promise.all(['plugin', 'call', 'undefined'].map((key) => cache.has(key))), [false, true, false])
  const plain = await buildApp(t, { redis: false })
  await plain.cache.getOrSet('a', () => 1)
  plain.clock.milliseconds += 59_999
  t.equal(await plain.cache.has('a'), true)
  plain.clock.milliseconds += 1
  t.equal(await plain.cache.has('a'), false, 'a minute')
})

t.test('a ttl that a load sets is held to the same rules', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  for (const [value, got] of noDurations) {
    await t.rejects(cache.getOrSet('a', ({ ttl }) => { ttl(value as number) }), {
      code: 'FST_HEADROOM_CACHE_OPTION', message: `cache: ttl() in a load: expected ${kept}, got ${got}`
    })
  }
  await t.rejects(cache.getOrSet('a', ({ tags }) => { tags('sound', '') }), { code: 'FST_HEADROOM_CACHE_TAG' })
})
