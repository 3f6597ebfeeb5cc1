import fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import compression from '../../plugins/compression/index.js'
import { boot as bootPlugin } from '../helpers/boot.js'
import { buildApp, TEXT } from './build-app.js'

const code = 'FST_HEADROOM_COMPRESSION_OPTION'

const boot = async (options: unknown, routes?: (app: FastifyInstance) => void): Promise<void> => { await bootPlugin(compression, options, routes) }

/** Of the plugin and of a route alike. */
const SHARED: Array<[title: string, key: string, value: unknown, got: string]> = [
  ['an unknown key', 'treshold', 5, 'got the unknown key "treshold"; did you mean "threshold"?'],
  ['a threshold without its unit', 'threshold', '5', 'got "5"'],
  ['no coding at all', 'encodings', [], 'got an array of 0'],
  ['a coding that there is not', 'encodings', ['gzip', 'lzma'], 'got an array of 2'],
  ['a coding that is a text', 'encodings', 'gzip', 'got "gzip"'],
  ['a filter that is no function', 'filter', true, 'got true'],
  ['allowOptOut that is no boolean', 'allowOptOut', 1, 'got 1'],
  ['reflectsInput that is no boolean', 'reflectsInput', 'yes', 'got "yes"']
]

const OF_PLUGIN: typeof SHARED = [
  ['types that are a text', 'customTypes', 'text/plain', 'got "text/plain"'],
  ['options of brotli that are a number', 'brotliOptions', 4, 'got 4'],
  ['options of gzip that are an array', 'zlibOptions', [], 'got an array of 0'],
  ['options that brotli has not', 'brotliOptions', { quality: 9 }, 'got the unknown key "quality"'],
  ['options that @fastify/compress has not for requests', 'requests', { requestEncoding: 'br' }, 'got the unknown key "requestEncoding"'],
  ['shed that is true', 'shed', true, 'got true'],
  ['no place at all', 'maxConcurrent', 0, 'got 0'],
  ['requests that are a text', 'requests', 'gzip', 'got "gzip"'],
  ['requests of no coding', 'requests', { requestEncodings: [] }, 'got what it refuses'],
  ['requests of a coding that there is not', 'requests', { forceRequestEncoding: 'lzma' }, 'got what it refuses'],
  ['global that is no boolean', 'global', 'no', 'got "no"'],
  ['an empty name', 'decorateAs', '', 'got ""']
]

for (const [title, key, value, got] of [...SHARED, ...OF_PLUGIN]) {
  t.test(`${title} stops the boot and names the key, what was expected and what arrived`, async (t) => {
    const error = await boot({ [key]: value }).then(() => undefined, (error: Error) => error)
    t.match(error, { code })
    t.ok(error?.message.startsWith(`compression: options.${key}: expected `) && error.message.includes(got), String(error?.message))
  })
}

for (const [title, key, value, got] of SHARED) {
  t.test(`${title} in a route's compression stops the boot and names the route`, async (t) => {
    const error = await boot({ global: false }, (app) => { app.get('/posts/:id', { config: { compression: { [key]: value } } }, async () => 'x') }).then(() => undefined, (error: Error) => error)
    t.match(error, { code })
    t.ok(error?.message.startsWith(`compression: route GET /posts/:id: config.compression.${key}: expected `) && error.message.includes(got), String(error?.message))
  })
}

t.test('a limit above one stops the boot', async (t) => {
  await t.rejects(boot({ shed: { lowAbove: 85 } }), { code, message: 'compression: options.shed.lowAbove: expected a number from 0 to 1, got 85' })
})

t.test('a limit at which nothing is compressed stops the boot where it is below that of low effort', async (t) => {
  await t.rejects(boot({ shed: { lowAbove: 0.9, stopAbove: 0.5 } }), { code, message: 'compression: options.shed.lowAbove: expected at most stopAbove, 0.5, got 0.9' })
})

t.test('options that Node refuses stop the boot', async (t) => {
  for (const options of [{ zlibOptions: { level: 99 } }, { zlibOptions: { windowBits: 99 } }, { brotliOptions: { params: { 99_999: 1 } } }]) await t.rejects(boot(options), { code, message: /got what it refuses/ })
})

t.test('registered twice in one scope, the boot stops', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(compression)
  await t.rejects(async () => { await app.register(compression) }, /decorat|registered already/)
})

t.test('an inner registration rules its scope, and its siblings keep the outer one', async (t) => {
  const { request } = await buildApp(t, {
    options: { encodings: ['gzip'] },
    routes: async (app) => {
      await app.register(async (child) => {
        await child.register(compression, { encodings: ['deflate'], shed: false, decorateAs: 'inner' })
        child.get('/inner', async () => TEXT)
      })
      await app.register(async (child) => {
        await child.register(compression, { global: false, shed: false, decorateAs: 'off' })
        child.get('/off', async () => TEXT)
        child.get('/on', { config: { compression: true } }, async () => TEXT)
      })
      await app.register(async (sibling) => { sibling.get('/sibling', async () => TEXT) })
      app.get('/outer', async () => TEXT)
    }
  })
  const codings = await Promise.all(['/inner', '/off', '/on', '/sibling', '/outer'].map(async (path) => (await request(path, { headers: { 'accept-encoding': 'br, gzip, deflate' } })).headers['content-encoding']))
  t.strictSame(codings, ['deflate', undefined, 'br', 'gzip', 'gzip'])
})
