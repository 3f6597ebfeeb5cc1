import fastify from 'fastify'
import cacheHeaders from 'fastify-headroom/cache-headers'
import compression from 'fastify-headroom/compression'
import { Readable } from 'node:stream'
import t from 'tap'

const TEXT = 'some text, '.repeat(300)

t.test('thousands of tags beside thousands of codings take no longer than either', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(compression)
  await app.register(cacheHeaders)
  app.get('/content', async () => TEXT)
  app.get('/version', { config: { cacheHeaders: { version: () => 'v1' } } }, async () => TEXT)
  const time = async (url: string, headers: Record<string, string>): Promise<number> => {
    const began = performance.now()
    t.equal((await app.inject({ url, headers })).statusCode, 200)
    return performance.now() - began
  }
  for (const url of ['/content', '/version']) {
    const tags = { 'if-none-match': '"",'.repeat(5_000) + '""' }
    const codings = { 'accept-encoding': 'a,'.repeat(7_000) }
    await time(url, {})
    const apart = await time(url, tags) + await time(url, codings)
    const together = await time(url, { ...tags, ...codings })
    t.ok(together < 10 * apart + 200, `${url}: ${together} ms together, ${apart} ms apart`)
  }
})

t.test('who refuses what is not encoded gets no more than its share of the encoders', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(compression, { maxConcurrent: 1 })
  const sources: Readable[] = []
  app.get('/', async (_request, reply) => {
    sources.push(new Readable({ read () {} }))
    return await reply.type('text/plain').send(sources.at(-1))
  })
  const replies = Array.from({ length: 5 }, async () => await app.inject({ url: '/', headers: { 'accept-encoding': 'br, identity;q=0' } }))
  while (sources.length < 5) await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(app.compression.stats().running, 1)
  for (const source of sources) source.push(null)
  t.strictSame((await Promise.all(replies)).map(({ headers }) => headers['content-encoding'] ?? 'none').sort(), ['br', 'none', 'none', 'none', 'none'])
  t.equal(app.compression.stats().running, 0)
})

t.test('what is a stream by its name only costs no place', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(compression, { maxConcurrent: 1 })
  app.get('/', async (_request, reply) => reply.type('text/plain').send({ pipe () {} }))
  for (let times = 0; times < 3; times++) t.equal((await app.inject({ url: '/', headers: { 'accept-encoding': 'gzip' } })).statusCode, 500)
  t.equal(app.compression.stats().running, 0)
})

t.test('parts of what is not encoded are not offered for what is', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(compression)
  app.get('/', async (_request, reply) => reply.header('accept-ranges', 'bytes').send(TEXT))
  t.match((await app.inject({ url: '/', headers: { 'accept-encoding': 'gzip' } })).headers, { 'content-encoding': 'gzip', 'accept-ranges': undefined })
  t.match((await app.inject('/')).headers, { 'content-encoding': undefined, 'accept-ranges': 'bytes' })
})
