import t from 'tap'
import type { ResourceOptions } from '../../plugins/cache/index.js'
import { buildApp } from './build-app.js'

const load = (id: number) => id
const save = () => {}

const mistakes: Array<[title: string, name: unknown, options: unknown, message: string | RegExp]> = [
  ['no options', 'user', undefined, 'cache: resource "user": expected an object, got undefined'],
  ['null as options', 'user', null, 'cache: resource "user": expected an object, got null'],
  ['a function as options', 'user', load, 'cache: resource "user": expected an object, got the function load'],
  ['no load', 'user', {}, 'cache: resource "user".load: expected a function that loads by id, got undefined'],
  ['a load that is no function', 'user', { load: 'SELECT 1' }, 'cache: resource "user".load: expected a function that loads by id, got "SELECT 1"'],
  ['a loadMany that is no function', 'user', { load, loadMany: true }, 'cache: resource "user".loadMany: expected a function that loads several by id, got true'],
  ['a key that is no function', 'user', { load, key: 'id' }, 'cache: resource "user".key: expected a function that makes the key for an id, got "id"'],
  ['a save that is no function', 'user', { load, save: null, write: 'through' }, 'cache: resource "user".save: expected a function that saves by id, got null'],
  ['another way to write', 'user', { load, save, write: 'around' }, 'cache: resource "user".write: expected \'through\' or \'behind\', got "around"'],
  ['save without write', 'user', { load, save }, 'cache: resource "user": write and save go together: how it is written, and by what'],
  ['write without save', 'user', { load, write: 'through' }, 'cache: resource "user": write and save go together: how it is written, and by what'],
  ['a misspelt option', 'user', { load, tll: '5m' }, /^cache: resource "user"\.tll: expected one of the keys .*, got the unknown key "tll"; did you mean "ttl"\?$/],
  ['a misspelt loadMany', 'user', { load, loadmany: load }, /got the unknown key "loadmany"; did you mean "loadMany"\?$/],
  ['a bad ttl', 'user', { load, ttl: '5' }, /^cache: resource "user"\.ttl: expected a duration of zero or more .*, got "5"$/],
  ['tags that are no array', 'user', { load, tags: 'users' }, 'cache: resource "user".tags: expected an array of tags, got "users"'],
  ['a signal, which is a call\'s own', 'user', { load, signal: AbortSignal.abort() }, /signal/],
  ['a name with a colon', 'user:1', { load }, 'cache: resource: expected a non-empty name without colon, got "user:1"'],
  ['an empty name', '', { load }, 'cache: resource: expected a non-empty name without colon, got ""'],
  ['a name that is no string', 7, { load }, 'cache: resource: expected a non-empty name without colon, got 7'],
  ['no name', undefined, { load }, 'cache: resource: expected a non-empty name without colon, got undefined']
]
for (const [title, name, options, message] of mistakes) {
  t.test(`a resource with ${title} throws at once, and its name can be used`, async (t) => {
    const { cache } = await buildApp(t, { redis: false })
    t.throws(() => cache.resource(name as string, options as ResourceOptions<unknown, number>), { code: 'FST_HEADROOM_CACHE_OPTION', message })
    t.equal(await cache.resource('user', { load }).get(1), 1)
  })
}

t.test('a bad tag of a resource throws at once', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  for (const tag of ['', 7, 'a\nb', '\ud800', 'x'.repeat(1_025)]) {
    t.throws(() => cache.resource('user', { load, tags: [tag as string] }), { code: 'FST_HEADROOM_CACHE_TAG' })
  }
})

t.test('a name can be taken once in a cache, and again in another', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  cache.resource('user', { load })
  t.throws(() => cache.resource('user', { load }), { code: 'FST_HEADROOM_CACHE_OPTION', message: 'cache: resource: the name "user" is taken' })
  const other = await buildApp(t, { redis: false })
  t.equal(await other.cache.resource('user', { load }).get(1), 1)
})

t.test('a resource follows the defaults of the plugin where it says nothing of its own', async (t) => {
  const { cache, clock } = await buildApp(t, { redis: false, ttl: '1s', negativeTtl: '1s' })
  let loads = 0
  const plain = cache.resource('plain', { load: (id: number) => { loads++; return id === 1 ? 'a' : null } })
  const own = cache.resource('own', { ttl: '1h', load: (id: number) => { loads++; return id } })
  await Promise.all([plain.getMany([1, 2]), own.get(1)])
  await Promise.all([plain.getMany([1, 2]), own.get(1)])
  t.equal(loads, 3)
  clock.milliseconds += 1_000
  await Promise.all([plain.getMany([1, 2]), own.get(1)])
  t.equal(loads, 5)
})

t.test('without save, set says what it needs', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  await t.rejects(cache.resource('user', { load }).set(1, 2), {
    code: 'FST_HEADROOM_CACHE_OPTION', message: 'cache: resource "user": set needs the options write and save'
  })
})

t.test('what was given as options is not changed, may be frozen, and what is done to it later changes nothing', async (t) => {
  const { cache } = await buildApp(t, { redis: false })
  const tags = ['users']
  const options = { load, tags, ttl: '1h' }
  const users = cache.resource('user', options)
  tags[0] = 'others'
  options.ttl = 'nonsense'
  options.load = () => 99
  t.equal(await users.get(1), 1)
  await cache.invalidateTags('others')
  t.equal(await cache.has('user:1'), true)
  await cache.invalidateTags('users')
  t.equal(await cache.has('user:1'), false)
  t.equal(await cache.resource('frozen', Object.freeze({ load, tags: Object.freeze(['users']) })).get(1), 1)
})
