import fastify from 'fastify'
import pg from 'pg'
import t from 'tap'
import headroom from '../../plugins/index.js'
import { buildApp } from './build-app.js'

const code = 'FST_HEADROOM_OPTION'
const techniques = 'true, false or the options of the technique'

const mistakes: Array<[title: string, options: unknown, message: string]> = [
  ['an unknown technique', { slowRequests: true }, 'headroom: options.slowRequests: expected one of the keys slowRequest, parallel, cache, poolHealth, writeBehind, streamReply, cacheHeaders, compression, got the unknown key "slowRequests"; did you mean "slowRequest"?'],
  ['a number for a technique', { cache: 5 }, `headroom: options.cache: expected ${techniques}, got 5`],
  ['a string for a technique', { cache: 'on' }, `headroom: options.cache: expected ${techniques}, got "on"`],
  ['null for a technique', { poolHealth: null }, `headroom: options.poolHealth: expected ${techniques}, got null`],
  ['an array for a technique', { slowRequest: [] }, `headroom: options.slowRequest: expected ${techniques}, got an array of 0`]
]

for (const [title, options, message] of mistakes) {
  t.test(`${title} stops the boot and names the key, what was expected and what arrived`, async (t) => {
    const app = fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => { await app.register(headroom, options as object) }, { code, message })
  })
}

t.test('a mistake in a technique\'s own options is reported by the technique', async (t) => {
  await t.rejects(buildApp(t, { slowRequest: { threshold: 'soon' } }), { code: 'FST_HEADROOM_SLOW_REQUEST_OPTION', message: /options\.threshold/ })
  await t.rejects(buildApp(t, { poolHealth: { pools: {} } }), { code: 'FST_HEADROOM_POOL_HEALTH_OPTION', message: /options\.pools/ })
  await t.rejects(buildApp(t, { cache: { ttl: -1 } }), { code: 'FST_HEADROOM_CACHE_OPTION', message: /options\.ttl/ })
  await t.rejects(buildApp(t, { cacheHeaders: { cacheControl: 'public, private' } }), { code: 'FST_HEADROOM_CACHE_HEADERS_OPTION', message: /options\.cacheControl/ })
  await t.rejects(buildApp(t, { compression: { encodings: [] } }), { code: 'FST_HEADROOM_COMPRESSION_OPTION', message: /options\.encodings/ })
})

t.test('options are passed on to their technique', async (t) => {
  const { app } = await buildApp(t, {
    cache: { decorateAs: 'store' },
    poolHealth: { pools: { main: new pg.Pool({ max: 4 }) }, logInterval: false, decorateAs: 'pools' }
  })
  t.notOk(app.hasDecorator('cache'))
  t.ok(app.hasDecorator('store'))
  t.match(app.getDecorator<typeof app.poolHealth>('pools').status(), { main: { size: 0, idle: 0, waiting: 0, max: 4 } })
})

t.test('the options object that was given stays as it was', async (t) => {
  const options = Object.freeze({ slowRequest: Object.freeze({ threshold: 5 }), cache: true, poolHealth: false })
  await t.resolves(buildApp(t, options))
})

t.test('routes are switched one by one through the suite', async (t) => {
  let milliseconds = 0
  const { app, slow } = await buildApp(t, { slowRequest: { threshold: 100, now: () => milliseconds } })
  const handler = async (): Promise<string> => {
    milliseconds += 200
    return 'done'
  }
  app.get('/plain', handler)
  app.get('/off', { config: { slowRequest: false } }, handler)
  app.get('/lax', { config: { slowRequest: { threshold: '1s' } } }, handler)
  for (const url of ['/plain', '/off', '/lax']) await app.inject(url)
  await app.close()
  t.strictSame(slow().map(({ slowRequest }) => slowRequest!.route), ['/plain'])
})

t.test('a mistake in a route stops the boot through the suite', async (t) => {
  const { app } = await buildApp(t)
  t.throws(() => app.get('/', { config: { slowRequest: { treshold: 5 } } as object }, async () => 'x'), { code: 'FST_HEADROOM_SLOW_REQUEST_OPTION', message: /route GET \// })
})
