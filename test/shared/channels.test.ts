import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readdirSync, readFileSync } from 'node:fs'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import cache from '../../plugins/cache/index.js'
import poolHealth from '../../plugins/pool-health/index.js'
import { defineChannel } from '../../plugins/shared/channel.js'
import slowRequest from '../../plugins/slow-request/index.js'
import { FakePool } from '../pool-health/fake-pool.js'

type Name = `headroom:${string}:${string}`

function listen (t: Test, name: Name): unknown[] {
  const heard: unknown[] = []
  const listener = (message: unknown): void => { heard.push(message) }
  subscribe(name, listener)
  t.teardown(() => unsubscribe(name, listener))
  return heard
}

t.test('docs/channels.md lists every channel, and no other', async (t) => {
  const names = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name]) => name!).sort()
  const defined = readdirSync('plugins', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('channels.ts'))
    .flatMap((file) => names(readFileSync(`plugins/${file}`, 'utf8'), /defineChannel<[^(]*\('([^']+)'\)/gs)).sort()
  const listed = names(readFileSync('docs/channels.md', 'utf8'), /^\| `(headroom:[^`]+)`/gm)
  t.ok(defined.length > 0)
  t.strictSame(listed, defined)
})

t.test('a payload is made only when somebody listens', async (t) => {
  const channel = defineChannel<number>('headroom:test:payload')
  let made = 0
  channel.publish(() => ++made)
  t.equal(made, 0)
  const heard = listen(t, 'headroom:test:payload')
  channel.publish(() => ++made)
  t.strictSame(heard, [1])
})

t.test('what the plugins do is published', async (t) => {
  const [loads, slow, broken] = [listen(t, 'headroom:cache:load'), listen(t, 'headroom:slow-request:slow'), listen(t, 'headroom:pool-health:broken')]
  const app = fastify()
  t.teardown(() => app.close())
  const pool = new FakePool()
  await app.register(slowRequest, { threshold: 0 })
  await app.register(poolHealth, { pools: { main: pool }, logInterval: false })
  await app.register(cache)
  app.get('/:id', async () => await app.cache.getOrSet('a', () => 1))
  await app.inject('/7')
  const failure = new Error('no')
  await t.rejects(app.cache.getOrSet('b', () => { throw failure }), failure)
  pool.emit('error', failure)
  t.match(loads, [{ key: 'a', elapsed: Number }, { key: 'b', elapsed: Number, error: failure }])
  t.match(slow, [{ method: 'GET', route: '/:id', status: 200 }])
  t.strictSame(broken, [{ pool: 'main', error: failure }])
})
