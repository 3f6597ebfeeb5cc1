import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { checkReply, replyTo, revalidating } from '../../bench/first-reply.js'
import { load } from '../../bench/load.js'

async function serve (t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

t.test('a request has the headers of the entry, and accepts no coding that the entry does not', async (t) => {
  const url = await serve(t, (request, response) => {
    response.setHeader('x-asked', JSON.stringify([request.headers['x-own'], request.headers['accept-encoding']]))
    response.end('hello')
  })
  const { status, headers } = await replyTo(url, { 'x-own': 'yes' })
  t.equal(status, 200)
  t.equal(headers['x-asked'], '["yes",null]')
})

t.test('a variant that answers otherwise than its entry says is not measured', (t) => {
  const encoded = { status: 200, headers: { 'content-encoding': 'br', etag: '"1"' } }
  t.doesNotThrow(() => { checkReply('ours', encoded, { encoding: 'br', isTagged: true }) })
  t.throws(() => { checkReply('ours', encoded) }, { message: 'ours: expected no Content-Encoding, got Content-Encoding br' })
  t.throws(() => { checkReply('ours', encoded, { encoding: 'gzip' }) }, { message: 'ours: expected Content-Encoding gzip, got Content-Encoding br' })
  t.throws(() => { checkReply('ours', encoded, { status: 304 }) }, { message: 'ours: expected a reply with status 304, got 200' })
  t.throws(() => { checkReply('ours', encoded, { encoding: 'br', isTagged: false }) }, { message: 'ours: expected no ETag, got "1"' })
  t.throws(() => { checkReply('ours', { status: 200, headers: {} }, { isTagged: true }) }, { message: 'ours: expected an ETag, got none' })
  t.doesNotThrow(() => { checkReply('ours', { status: 200, headers: {} }) })
  t.end()
})

t.test('who has a reply asks again with its tag', (t) => {
  t.strictSame(revalidating('ours', { status: 200, headers: { etag: '"1"' } }), { 'if-none-match': '"1"' })
  t.throws(() => revalidating('ours', { status: 200, headers: {} }), { message: 'ours: expected an ETag to ask again with, got none' })
  t.end()
})

t.test('under load too, requests have the headers, and any other status fails the run', async (t) => {
  const url = await serve(t, (request, response) => {
    response.statusCode = request.headers['if-none-match'] === '"1"' ? 304 : 200
    response.end()
  })
  const short = { url, connections: 2, seconds: 1 }
  t.ok((await load({ ...short, headers: { 'if-none-match': '"1"' }, status: 304 })).requests > 0)
  await t.rejects(load({ ...short, headers: { 'if-none-match': '"2"' }, status: 304 }), { message: /expected 304 only, got \d+ other replies and 0 failed connections/ })
  await t.rejects(load({ ...short, headers: { 'if-none-match': '"1"' } }), { message: /expected 200 only/ })
})
