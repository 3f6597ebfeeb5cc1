import { once } from 'node:events'
import { createGunzip } from 'node:zlib'
import compression from 'fastify-headroom/compression'
import streamReply from 'fastify-headroom/stream-reply'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { connectTo, newApp, PROTOCOLS } from '../helpers/http-client.js'
import { gate } from '../helpers/gate.js'

for (const protocol of PROTOCOLS) {
  t.test(`over ${protocol} compressed rows come as they are made, and a source that fails is no complete reply`, async (t) => {
    const app = newApp(t, protocol)
    await app.register(compression)
    await app.register(streamReply)
    const rest = gate()
    app.get('/rows', async (_request, reply) => await reply.streamRows((async function * () {
      yield { id: 1 }
      await rest.pass()
      yield { id: 2 }
    })(), { format: 'ndjson' }))
    app.get('/fails', async (_request, reply) => await reply.streamRows((async function * () {
      yield { id: 1 }
      await rest.pass()
      throw new Error('no more')
    })(), { format: 'ndjson' }))
    const client = await connectTo(t, app)

    const { headers, body } = await client.open('/rows', { headers: { 'accept-encoding': 'gzip' } })
    t.equal(headers['content-encoding'], 'gzip')
    let text = ''
    const decoder = body.pipe(createGunzip()).on('data', (chunk: Buffer) => { text += String(chunk) })
    await eventually(() => text === '{"id":1}\n')
    // Its head is there: what fails before is an error of its own.
    const failing = await client.open('/fails', { headers: { 'accept-encoding': 'gzip' } })
    const failed = t.rejects(failing.body.toArray())
    rest.open()
    await once(decoder, 'end')
    t.equal(text, '{"id":1}\n{"id":2}\n')
    await failed
    t.match(app.streamReply.stats(), { running: 0, complete: 1, failed: 1 })
  })
}
