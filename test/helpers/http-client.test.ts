import { Readable } from 'node:stream'
import t from 'tap'
import { connectTo, decoded, newApp, PROTOCOLS } from './http-client.js'

for (const protocol of PROTOCOLS) {
  t.test(`${protocol}: it sends what it is given, and gives what it gets`, async (t) => {
    const app = newApp(t, protocol)
    app.post('/echo', (request, reply) => { reply.code(201).header('x-version', request.raw.httpVersion).header('x-sent', request.headers['x-sent']).send(request.body) })
    const client = await connectTo(t, app)
    const answer = await client.request('/echo', { method: 'POST', headers: { 'content-type': 'text/plain', 'x-sent': 'a' }, body: 'hello' })
    t.match(answer, { status: 201, headers: { 'x-version': protocol === 'HTTP/2' ? '2.0' : '1.1', 'x-sent': 'a', 'content-length': '5' } })
    t.equal(String(decoded(answer)), 'hello')
  })
}

t.test('a reply of HTTP/1.1 that breaks off is none', async (t) => {
  const app = newApp(t, 'HTTP/1.1')
  app.get('/', async () => Readable.from((async function * () {
    yield 'some'
    await new Promise(setImmediate)
    throw new Error('broke')
  })()))
  const client = await connectTo(t, app)
  await t.rejects(client.request('/'))
})
