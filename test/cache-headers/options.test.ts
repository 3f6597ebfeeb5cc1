import fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import cacheHeaders from '../../plugins/cache-headers/index.js'
import { boot as bootPlugin } from '../helpers/boot.js'

const code = 'FST_HEADROOM_CACHE_HEADERS_OPTION'

const boot = async (options: unknown, routes?: (app: FastifyInstance) => void): Promise<void> => { await bootPlugin(cacheHeaders, options, routes) }

/** Of the plugin and of a route alike. */
const SHARED: Array<[title: string, key: string, value: unknown, got: string]> = [
  ['directives that are a number', 'cacheControl', 60, 'got 60'],
  ['directives that are null', 'cacheControl', null, 'got null'],
  ['directives that are an array', 'cacheControl', ['public'], 'got an array of 1'],
  ['no directive at all', 'cacheControl', {}, 'got no directive'],
  ['an empty text', 'cacheControl', '', 'got no directive'],
  ['a directive that there is not', 'cacheControl', { maxage: 5 }, 'got the unknown key "maxage"'],
  ['a flag that is no boolean', 'cacheControl', { public: 'yes' }, 'got public: "yes", which is neither true nor false'],
  ['a time below zero', 'cacheControl', { maxAge: -1 }, 'got maxAge: -1, which is no duration of whole seconds'],
  ['a time without its unit', 'cacheControl', { maxAge: '5' }, 'got maxAge: "5", which is no duration of whole seconds'],
  ['a text whose time is no number', 'cacheControl', 'max-age=soon', 'got max-age without whole seconds'],
  ['a text whose time is missing', 'cacheControl', 'max-age', 'got max-age without whole seconds'],
  ['a text with a comma at its end', 'cacheControl', 'public,', 'got "public,"'],
  ['a text with a directive twice', 'cacheControl', 'max-age=1, max-age=2', 'got max-age twice'],
  ['a text that is no list', 'cacheControl', 'max-age=1; public', 'got "max-age=1; public"'],
  ['a text with a line break', 'cacheControl', 'public\r\nx: y', 'got "public\\r\\nx: y"'],
  ['a flag with an argument', 'cacheControl', 'no-store=1', 'got no-store with an argument'],
  ['public and private', 'cacheControl', { public: true, private: true }, 'got public beside private, which contradict each other'],
  ['public and no-store', 'cacheControl', 'public, no-store', 'got public beside no-store'],
  ['private and a time for shared caches', 'cacheControl', { private: true, sMaxage: '1m' }, 'got private beside s-maxage'],
  ['a targeted field that is no structured one', 'cdnCacheControl', 'Max-Age=5', 'got "Max-Age=5"'],
  ['a targeted time that is no integer', 'cdnCacheControl', 'max-age=1.5', 'got max-age without whole seconds'],
  ['a targeted time that is a text', 'cdnCacheControl', 'max-age="5"', 'got max-age without whole seconds'],
  ['statuses that are no array', 'statuses', 404, 'got 404'],
  ['a status that is said anyway', 'statuses', [200], 'got an array of 1'],
  ['a status that is none', 'statuses', ['404'], 'got an array of 1'],
  ['a sharePersonal that is no boolean', 'sharePersonal', 'no', 'got "no"']
]

const OF_PLUGIN: typeof SHARED = [
  ['an unknown key', 'cacheControll', 'public', 'got the unknown key "cacheControll"; did you mean "cacheControl"?'],
  ['a version, which is a route\'s', 'version', () => 'v', 'got the unknown key "version"'],
  ['a tag that is a text', 'etag', 'weak', 'got "weak"'],
  ['an option that @fastify/etag has not', 'etag', { replyWith304: false }, 'got the unknown key "replyWith304"'],
  ['a hash that there is not', 'etag', { algorithm: 'nonsense' }, 'got what it refuses'],
  ['global that is no boolean', 'global', 'no', 'got "no"'],
  ['an empty name', 'decorateAs', '', 'got ""'],
  ['a clock that is no function', 'now', 5, 'got 5']
]

const OF_ROUTE: typeof SHARED = [
  ['an unknown key', 'verison', () => 'v', 'got the unknown key "verison"; did you mean "version"?'],
  ['a version that is no function', 'version', 'v1', 'got "v1"'],
  ['a tag with options, which are the plugin\'s', 'etag', { weak: true }, 'got an object']
]

for (const [title, key, value, got] of [...SHARED, ...OF_PLUGIN]) {
  t.test(`${title} stops the boot and names the key, what was expected and what arrived`, async (t) => {
    const error = await boot({ [key]: value }).then(() => undefined, (error: Error) => error)
    t.match(error, { code })
    t.ok(error?.message.startsWith(`cache-headers: options.${key}: expected `) && error.message.includes(got), String(error?.message))
  })
}

for (const [title, key, value, got] of [...SHARED, ...OF_ROUTE]) {
  t.test(`${title} in a route's cacheHeaders stops the boot and names the route`, async (t) => {
    const error = await boot({ global: false }, (app) => { app.get('/posts/:id', { config: { cacheHeaders: { [key]: value } } }, async () => 'x') }).then(() => undefined, (error: Error) => error)
    t.match(error, { code })
    t.ok(error?.message.startsWith(`cache-headers: route GET /posts/:id: config.cacheHeaders.${key}: expected `) && error.message.includes(got), String(error?.message))
  })
}

for (const [title, config] of [['a number', 5], ['a text', 'public'], ['null', null], ['an array', []]] as const) {
  t.test(`${title} as a route's cacheHeaders stops the boot and names the route`, async (t) => {
    await t.rejects(boot({}, (app) => { app.get('/', { config: { cacheHeaders: config as never } }, async () => 'x') }), { code, message: /^cache-headers: route GET \/: config\.cacheHeaders: expected true, false or an object, got / })
  })
}

t.test('registered twice in one scope, the boot stops', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(cacheHeaders)
  await t.rejects(async () => { await app.register(cacheHeaders) }, { code, message: 'cache-headers: cacheHeaders: it is registered already in this scope' })
})
