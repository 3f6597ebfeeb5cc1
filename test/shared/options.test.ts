import fc from 'fast-check'
import t from 'tap'
import { boolean, complaint, custom, describe, duration, INVALID, nested, orFalse, resolveOptions, size, string, type OptionTable } from '../../plugins/shared/options.js'

class OptionError extends Error {}

const resolve = (table: OptionTable, raw: unknown): Record<string, unknown> => resolveOptions(table, raw, 'options', OptionError)

function message (table: OptionTable, raw: unknown): string {
  try {
    resolve(table, raw)
  } catch (error) {
    if (error instanceof OptionError) return error.message
    throw error
  }
  return 'accepted'
}

const TABLE = { ttl: duration(1_000, { min: 1 }), maxBytes: size(1_024), global: boolean(true), prefix: string('headroom') }

t.test('what was left out has its default, and every key is present', async (t) => {
  const complete = { ttl: 1_000, maxBytes: 1_024, global: true, prefix: 'headroom' }
  t.strictSame(resolve(TABLE, {}), complete)
  t.strictSame(resolve(TABLE, { ttl: undefined, prefix: undefined }), complete)
  t.strictSame(resolve({ ttl: duration(undefined) }, {}), { ttl: undefined })
})

t.test('what was given is read, and the object it came in stays as it was', async (t) => {
  const raw = Object.freeze({ ttl: '2s', maxBytes: '1kb', global: false, prefix: 'shop' })
  t.strictSame(resolve(TABLE, raw), { ttl: 2_000, maxBytes: 1_024, global: false, prefix: 'shop' })
})

t.test('a wrong value is named with its place, what was expected and what arrived', async (t) => {
  t.equal(message(TABLE, { ttl: 0 }), "options.ttl: expected a duration of 1 ms or more (milliseconds, or a string such as '250ms' or '15m'), got 0")
  t.equal(message(TABLE, { maxBytes: '1s' }), 'options.maxBytes: expected a size of zero or more (bytes, or a string such as \'64kb\' or \'16mb\'), got "1s"')
  t.equal(message({ maxBytes: size(1, { min: 1 }) }, { maxBytes: 0 }), "options.maxBytes: expected a size of 1 byte or more (bytes, or a string such as '64kb' or '16mb'), got 0")
  t.equal(message(TABLE, { global: 1 }), 'options.global: expected true or false, got 1')
  t.equal(message(TABLE, { prefix: '' }), 'options.prefix: expected a non-empty string, got ""')
  t.equal(message({ prefix: string('a', { pattern: /^a+$/, expected: 'the letter a' }) }, { prefix: 'b' }), 'options.prefix: expected the letter a, got "b"')
})

t.test('null is a value, not an absence', async (t) => {
  for (const key of Object.keys(TABLE)) t.match(message(TABLE, { [key]: null }), /got null$/)
})

t.test('anything but an object in place of the options is refused', async (t) => {
  for (const raw of [undefined, null, 5, 'x', true, [], () => {}]) t.match(message(TABLE, raw), /^options: expected an object, got /)
})

t.test('an unknown key is refused, with the keys there are', async (t) => {
  t.equal(message(TABLE, { colour: 1 }), 'options.colour: expected one of the keys ttl, maxBytes, global, prefix, got the unknown key "colour"')
})

t.test('a key misspelt by up to two letters, or in its case, is answered with the right one', async (t) => {
  for (const key of ['tll', 'TTL', 'maxbytes', 'maxByte', 'MaxBites', 'gobal', 'perfix']) t.match(message(TABLE, { [key]: 1 }), /; did you mean "(ttl|maxBytes|global|prefix)"\?$/)
  t.match(message(TABLE, { maxbyte: 1 }), /did you mean "maxBytes"/)
  t.notMatch(message(TABLE, { maximum: 1 }), /did you mean/)
})

t.test('names that every object inherits are unknown keys like any other', async (t) => {
  for (const key of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    t.match(message(TABLE, JSON.parse(`{ "${key}": 1 }`)), /got the unknown key/)
  }
})

t.test('orFalse lets false through, and nothing else that its option refuses', async (t) => {
  const table = { ttl: orFalse(duration(5)) }
  t.strictSame(resolve(table, { ttl: false }), { ttl: false })
  t.strictSame(resolve(table, {}), { ttl: 5 })
  t.strictSame(resolve(table, { ttl: '1s' }), { ttl: 1_000 })
  for (const ttl of [true, null, 'no', 'false']) t.match(message(table, { ttl }), /, or false, got /)
})

t.test('custom takes what its judge accepts; absent stays absent', async (t) => {
  const table = { now: custom('a clock', (value): value is () => number => typeof value === 'function') }
  const now = (): number => 5
  t.equal(resolve(table, { now }).now, now)
  t.strictSame(resolve(table, {}), { now: undefined })
  t.equal(message(table, { now: 5 }), 'options.now: expected a clock, got 5')
})

const NESTED = { memory: orFalse(nested({ maxBytes: size(64) }, OptionError, 'options.memory')) }

t.test('nested options have defaults of their own, and their mistakes are named with the whole path', async (t) => {
  t.strictSame(resolve(NESTED, {}), { memory: { maxBytes: 64 } })
  t.strictSame(resolve(NESTED, { memory: { maxBytes: '1kb' } }), { memory: { maxBytes: 1_024 } })
  t.strictSame(resolve(NESTED, { memory: false }), { memory: false })
  t.match(message(NESTED, { memory: { maxBytes: -1 } }), /^options\.memory\.maxBytes: expected .* got -1$/)
  t.match(message(NESTED, { memory: { maxByte: 1 } }), /^options\.memory\.maxByte: .*did you mean "maxBytes"\?$/)
  t.match(message(NESTED, { memory: true }), /^options\.memory: expected an object, got true$/)
})

t.test('null in place of nested options is refused', async (t) => {
  t.match(message(NESTED, { memory: null }), /^options\.memory: expected an object.*, got null$/)
})

t.test('a value is described shortly, whatever it is', async (t) => {
  class Pool {}
  const nameless = Object.create({ constructor: { name: 5 } }) as object
  const described: Array<[unknown, string]> = [
    ['text', '"text"'], ['a"b\n', '"a\\"b\\n"'], [5, '5'], [NaN, 'NaN'], [5n, '5n'], [null, 'null'], [undefined, 'undefined'], [true, 'true'],
    [Symbol('s'), 'Symbol(s)'], [[1, 2], 'an array of 2'], [{}, 'an object'], [Object.create(null), 'an object'], [nameless, 'an object'],
    [new Pool(), 'an instance of Pool'], [new Map(), 'an instance of Map'], [Pool, 'the function Pool'], [() => {}, 'a function'],
    [{ password: 'secret' }, 'an object'], [['secret'], 'an array of 1']
  ]
  for (const [value, words] of described) t.equal(describe(value), words)
  t.equal(describe('x'.repeat(61)), `"${'x'.repeat(57)}…"`)
  t.equal(describe('x'.repeat(60)), `"${'x'.repeat(60)}"`)
  fc.assert(fc.property(fc.anything(), (value) => describe(value).length < 500))
})

t.test('the password of a URL given for something else is not in the error message', async (t) => {
  const table = { redis: custom('an ioredis client, Redis or Cluster', (value): value is object => typeof value === 'object') }
  for (const redis of ['redis://:p4ssw0rd@cache:6379', 'postgres://app:p4ssw0rd@db/shop', 'rediss://u:p4ssw0rd@h']) {
    t.match(message(table, { redis }), /^options\.redis: expected an ioredis client, Redis or Cluster/)
    t.notMatch(message(table, { redis }), /p4ssw0rd/)
  }
})

t.test('a complaint says where, what was expected and what arrived; INVALID is no value that a user can write', async (t) => {
  t.equal(complaint('here', 'this', 'that'), 'here: expected this, got that')
  t.type(INVALID, 'symbol')
})
