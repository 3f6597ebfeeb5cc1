import fastify from 'fastify'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import cacheHeaders from '../../plugins/cache-headers/index.js'

t.test('each 304 and each 412 is published, with the route and why', async (t) => {
  const app = fastify()
  const heard: unknown[] = []
  const hear = (message: unknown): void => { heard.push(message) }
  const channels = ['not-modified', 'precondition-failed'].map((event) => `headroom:cache-headers:${event}`)
  for (const channel of channels) subscribe(channel, hear)
  t.teardown(async () => {
    for (const channel of channels) unsubscribe(channel, hear)
    await app.close()
  })
  await app.register(cacheHeaders)
  let version: string | undefined = 'v1'
  app.route({ method: ['GET', 'PUT'], url: '/posts/:id', config: { cacheHeaders: { version: () => version } }, handler: async () => 'x' })
  app.get('/content', async (_request, reply) => reply.header('etag', '"c"').send('x'))
  const ask = async (method: 'GET' | 'PUT', url: string, headers: Record<string, string>): Promise<void> => { await app.inject({ method, url, headers }) }
  await ask('GET', '/posts/7', { 'if-none-match': '"v1"' })
  await ask('GET', '/content', { 'if-none-match': '"c"' })
  await ask('GET', '/content', { 'if-match': '"d"' })
  await ask('PUT', '/posts/7', { 'if-match': '"v0"' })
  await ask('PUT', '/posts/7', { 'if-none-match': '*' })
  version = undefined
  await ask('PUT', '/posts/7', { 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' })
  await ask('PUT', '/posts/7', { 'if-none-match': '"v1"' })
  await ask('GET', '/posts/7', {})
  const route = '/posts/:id'
  t.strictSame(heard, [
    { method: 'GET', route, beforeHandler: true },
    { method: 'GET', route: '/content', beforeHandler: false },
    { method: 'GET', route: '/content', field: 'if-match' },
    { method: 'PUT', route, field: 'if-match' },
    { method: 'PUT', route, field: 'if-none-match' },
    { method: 'PUT', route, field: 'if-unmodified-since' },
    { method: 'PUT', route, field: 'if-none-match' }
  ])
})
