import fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import slowRequest from '../../plugins/slow-request/index.js'
import { boot as bootPlugin } from '../helpers/boot.js'

const code = 'FST_HEADROOM_SLOW_REQUEST_OPTION'

const boot = async (options: unknown, routes?: (app: FastifyInstance) => void): Promise<void> => { await bootPlugin(slowRequest, options, routes) }

const pluginMistakes: Array<[title: string, options: unknown, message: string]> = [
  ['a misspelt option', { treshold: 5 }, 'slow-request: options.treshold: expected one of the keys threshold, global, now, got the unknown key "treshold"; did you mean "threshold"?'],
  ['a negative threshold', { threshold: -1 }, "slow-request: options.threshold: expected a duration of zero or more (milliseconds, or a string such as '250ms' or '15m'), got -1"],
  ['a threshold without its unit', { threshold: '15' }, "slow-request: options.threshold: expected a duration of zero or more (milliseconds, or a string such as '250ms' or '15m'), got \"15\""],
  ['global that is no boolean', { global: 'no' }, 'slow-request: options.global: expected true or false, got "no"'],
  ['a clock that is no function', { now: 5 }, 'slow-request: options.now: expected a function that returns milliseconds, got 5']
]

for (const [title, options, message] of pluginMistakes) {
  t.test(`${title} stops the boot and names the key, what was expected and what arrived`, async (t) => {
    await t.rejects(boot(options), { code, message })
  })
}

const routeMistakes: Array<[title: string, config: unknown, message: string]> = [
  ['an unknown key', { threshhold: '1s' }, 'slow-request: route GET /users/:id: config.slowRequest.threshhold: expected one of the keys threshold, got the unknown key "threshhold"; did you mean "threshold"?'],
  ['a negative threshold', { threshold: -5 }, "slow-request: route GET /users/:id: config.slowRequest.threshold: expected a duration of zero or more (milliseconds, or a string such as '250ms' or '15m'), got -5"],
  ['a threshold of a wrong type', { threshold: { ms: 5 } }, "slow-request: route GET /users/:id: config.slowRequest.threshold: expected a duration of zero or more (milliseconds, or a string such as '250ms' or '15m'), got an object"],
  ['a number', 5, 'slow-request: route GET /users/:id: config.slowRequest: expected true, false or an object, got 5'],
  ['an array', [], 'slow-request: route GET /users/:id: config.slowRequest: expected true, false or an object, got an array of 0'],
  ['a string', '1s', 'slow-request: route GET /users/:id: config.slowRequest: expected true, false or an object, got "1s"'],
  ['null', null, 'slow-request: route GET /users/:id: config.slowRequest: expected true, false or an object, got null']
]

for (const [title, config, message] of routeMistakes) {
  t.test(`${title} in a route's slowRequest stops the boot and names the route`, async (t) => {
    await t.rejects(boot({}, (app) => {
      app.get('/users/:id', { config: { slowRequest: config } as object }, async () => 'x')
    }), { code, message })
  })
}

t.test('a mistake in a route is found even when the plugin watches no route of itself', async (t) => {
  await t.rejects(boot({ global: false }, (app) => {
    app.post('/', { config: { slowRequest: { threshold: '5 minutes' } } }, async () => 'x')
  }), { code, message: /route POST \/: config\.slowRequest\.threshold/ })
})

t.test('registered twice in one scope, the boot stops', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(slowRequest)
  await t.rejects(async () => { await app.register(slowRequest) }, { code: 'FST_HEADROOM_SLOW_REQUEST_OPTION', message: 'slow-request: slowRequest: it is registered already in this scope' })
})
