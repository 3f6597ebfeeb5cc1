import fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import t, { type Test } from 'tap'
import { captureLog } from '../helpers/log-capture.js'
import { duration, resolveOptions } from '../../plugins/shared/options.js'
import { onConfiguredRoute, type ConfiguredRoutes } from '../../plugins/shared/route-config.js'

class OptionError extends Error {}

interface Settings { plugin: string, ttl: number }

function newApp (t: Test): FastifyInstance {
  const app = fastify()
  t.teardown(() => app.close())
  return app
}

interface Following extends ConfiguredRoutes<Settings> {
  /** `METHOD url` of each route it was switched on for. */
  seen: string[]
}

/** A made-up plugin with the key `demo`, registered in this scope. */
function follow (app: FastifyInstance, plugin: string, global = true): Following {
  const seen: string[] = []
  const routes = onConfiguredRoute<Settings>(app, {
    key: 'demo',
    global,
    OptionError,
    resolve: (own, place) => ({ plugin, ttl: resolveOptions({ ttl: duration(100) }, own, place, OptionError).ttl })
  }, (route: RouteOptions) => { seen.push(`${String(route.method)} ${route.url}`) })
  return Object.assign(routes, { seen })
}

/** A route that answers with the settings that it finds. */
function route (app: FastifyInstance, url: string, demo: unknown, routes: ConfiguredRoutes<Settings>): void {
  app.get(url, { config: demo === undefined ? {} : { demo } as object }, async (request) => ({ settings: routes.of(request) ?? null }))
}

async function settingsAt (app: FastifyInstance, url: string): Promise<unknown> {
  return (await app.inject(url)).json<{ settings: unknown }>().settings
}

t.test('absent follows global; true, false and an object say it for the route', async (t) => {
  for (const global of [true, false]) {
    const app = newApp(t)
    const routes = follow(app, 'root', global)
    route(app, '/absent', undefined, routes)
    route(app, '/true', true, routes)
    route(app, '/false', false, routes)
    route(app, '/object', { ttl: '1s' }, routes)
    route(app, '/empty', {}, routes)
    t.strictSame(await settingsAt(app, '/absent'), global ? { plugin: 'root', ttl: 100 } : null)
    t.strictSame(await settingsAt(app, '/true'), { plugin: 'root', ttl: 100 })
    t.strictSame(await settingsAt(app, '/false'), null)
    t.strictSame(await settingsAt(app, '/object'), { plugin: 'root', ttl: 1_000 })
    t.strictSame(await settingsAt(app, '/empty'), { plugin: 'root', ttl: 100 })
  }
})

t.test('a request that no route matched has no settings', async (t) => {
  const app = newApp(t)
  const routes = follow(app, 'root')
  app.setNotFoundHandler(async (request) => ({ settings: routes.of(request) ?? null }))
  t.equal(await settingsAt(app, '/nothing'), null)
})

t.test('a GET and its automatic HEAD twin are each seen once', async (t) => {
  const app = newApp(t)
  const routes = follow(app, 'root')
  route(app, '/one', undefined, routes)
  await app.ready()
  t.strictSame(routes.seen.sort(), ['GET /one', 'HEAD /one'])
})

t.test('a route of several methods is seen once for them all', async (t) => {
  const app = newApp(t)
  const routes = follow(app, 'root')
  app.route({ method: ['PUT', 'POST'], url: '/both', handler: async () => 'x' })
  await app.ready()
  t.strictSame(routes.seen, ['PUT,POST /both'])
})

t.test('settings are made once, not for each request', async (t) => {
  const app = newApp(t)
  let resolved = 0
  const routes = onConfiguredRoute(app, { key: 'demo', global: true, OptionError, resolve: () => ({ made: ++resolved }) })
  app.post('/', async (request) => routes.of(request))
  for (let n = 0; n < 3; n++) t.strictSame((await app.inject({ method: 'POST', url: '/' })).json(), { made: 1 })
})

t.test('the inner registration governs its scope and the scopes below; siblings and parents do not see it', async (t) => {
  const app = newApp(t)
  const outer = follow(app, 'outer')
  let inner!: Following
  let sibling!: Following
  await app.register(async (child) => {
    inner = follow(child, 'inner')
    route(child, '/inner', undefined, inner)
    t.strictSame([outer.governs(child), inner.governs(child)], [false, true])
    await child.register(async (grandchild) => {
      route(grandchild, '/deep', undefined, inner)
      t.strictSame([outer.governs(grandchild), inner.governs(grandchild)], [false, true])
    })
  })
  await app.register(async (child) => {
    sibling = follow(child, 'sibling')
    route(child, '/sibling', undefined, sibling)
    t.notOk(inner.governs(child))
  })
  await app.register(async (child) => { route(child, '/plain', undefined, outer) })
  t.strictSame(await settingsAt(app, '/inner'), { plugin: 'inner', ttl: 100 })
  t.strictSame(await settingsAt(app, '/deep'), { plugin: 'inner', ttl: 100 })
  t.strictSame(await settingsAt(app, '/sibling'), { plugin: 'sibling', ttl: 100 })
  t.strictSame(await settingsAt(app, '/plain'), { plugin: 'outer', ttl: 100 })
  t.strictSame(outer.seen, ['GET /plain', 'HEAD /plain'])
  t.strictSame(sibling.seen, ['GET /sibling', 'HEAD /sibling'])
})

t.test('a child registered before its parent keeps its own, and the parent does not see its routes', async (t) => {
  const app = newApp(t)
  let inner!: Following
  await app.register(async (child) => {
    inner = follow(child, 'inner')
    route(child, '/inner', undefined, inner)
  })
  const outer = follow(app, 'outer')
  route(app, '/outer', undefined, outer)
  t.strictSame(await settingsAt(app, '/inner'), { plugin: 'inner', ttl: 100 })
  t.strictSame(await settingsAt(app, '/outer'), { plugin: 'outer', ttl: 100 })
  t.strictSame(outer.seen, ['GET /outer', 'HEAD /outer'])
})

t.test('two plugins with different keys do not meet', async (t) => {
  const app = newApp(t)
  const one = onConfiguredRoute(app, { key: 'one', global: true, OptionError, resolve: () => ({ name: 'one' }) })
  const two = onConfiguredRoute(app, { key: 'two', global: true, OptionError, resolve: () => ({ name: 'two' }) })
  app.get('/', { config: { one: false } as object }, async (request) => ({ one: one.of(request) ?? null, two: two.of(request) ?? null }))
  t.strictSame((await app.inject('/')).json(), { one: null, two: { name: 'two' } })
})

t.test('a config shared between routes is not written to, and each route has its own settings', async (t) => {
  const app = newApp(t)
  const routes = follow(app, 'root')
  const config = Object.freeze({ demo: Object.freeze({ ttl: 7 }) }) as object
  for (const url of ['/a', '/b']) app.get(url, { config }, async (request) => ({ settings: routes.of(request) }))
  t.strictSame(await settingsAt(app, '/a'), { plugin: 'root', ttl: 7 })
  t.strictSame(await settingsAt(app, '/b'), { plugin: 'root', ttl: 7 })
  t.strictSame(Reflect.ownKeys(config), ['demo'])
})

t.test('a mistake names the route, the key, what was expected and what arrived', async (t) => {
  const app = newApp(t)
  follow(app, 'root')
  const add = (demo: unknown) => () => app.route({ method: ['GET', 'PUT'], url: '/x', config: { demo } as object, handler: async () => 'x' })
  for (const [demo, words] of [[5, '5'], ['on', '"on"'], [null, 'null'], [[], 'an array of 0'], [() => {}, 'a function']] as const) {
    t.throws(add(demo), { message: `route GET,PUT /x: config.demo: expected true, false or an object, got ${words}` })
  }
  t.throws(add({ tll: 5 }), { message: /^route GET,PUT \/x: config\.demo\.tll: .*did you mean "ttl"\?$/ })
})

t.test('a route that was added before the plugin is warned of, once; one that is switched off is not', async (t) => {
  for (const [demo, global, warnings] of [[undefined, true, 1], [true, false, 1], [{ ttl: 5 }, false, 1], [undefined, false, 0], [false, true, 0]] as const) {
    const { stream, lines } = captureLog<{ msg: string }>()
    const app = fastify({ logger: { stream, level: 'warn' } }) as unknown as FastifyInstance
    t.teardown(() => app.close())
    const late: { routes?: ConfiguredRoutes<Settings> } = {}
    app.get('/early', { config: demo === undefined ? {} : { demo } as object }, async (request) => ({ settings: late.routes!.of(request) ?? null }))
    await app.after()
    late.routes = follow(app, 'late', global)
    for (let time = 0; time < 2; time++) t.equal(await settingsAt(app, '/early'), null)
    t.strictSame(lines().map(({ msg }) => msg), Array(warnings).fill(
      "route GET /early was added before headroom's demo, which does not see it: await the plugin's registration, and add routes after it"))
  }
})
