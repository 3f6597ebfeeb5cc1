import { once } from 'node:events'
import { connect, constants, type ClientHttp2Session } from 'node:http2'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { gate } from '../helpers/gate.js'
import { buildApp, listen, type Wishes } from './build-app.js'

async function buildHttp2App (t: Test, routes: Wishes['routes']) {
  const watched = await buildApp(t, { server: { http2: true }, options: { threshold: 0 }, routes })
  const session = connect(`http://127.0.0.1:${await listen(watched.app)}`)
  t.teardown(() => { session.destroy() })
  session.on('error', () => {})
  await once(session, 'connect')
  return { ...watched, session }
}

async function read (session: ClientHttp2Session, path: string): Promise<string> {
  const stream = session.request({ ':path': path })
  return (await stream.setEncoding('utf8').toArray()).join('')
}

t.test('a completed HTTP/2 request is logged with its status and not called aborted', async (t) => {
  const { session, slow, closed } = await buildHttp2App(t, (app, clock) => {
    app.get('/users/:id', async () => {
      clock.advance(600)
      return 'done'
    })
  })
  t.equal(await read(session, '/users/7?token=secret'), 'done')
  await closed(1)
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'GET', route: '/users/:id', status: 200, elapsed: 600 }])
})

t.test('a cancelled HTTP/2 request is logged once, aborted, with no status', async (t) => {
  const never = gate()
  const { session, slow, closed } = await buildHttp2App(t, (app, clock) => {
    app.get('/never', () => {
      clock.advance(600)
      return never.pass()
    })
  })
  const stream = session.request({ ':path': '/never' })
  stream.on('error', () => {})
  await never.arrived()
  stream.close(constants.NGHTTP2_CANCEL)
  await closed(1)
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'GET', route: '/never', status: null, elapsed: 600, aborted: true }])
})

t.test('an HTTP/2 client that cancels in the middle of a streamed reply is aborted', async (t) => {
  const { session, slow, closed } = await buildHttp2App(t, (app) => {
    app.get('/export', async () => new Readable({ read () { this.push('x'.repeat(65_536)) } }))
  })
  const stream = session.request({ ':path': '/export' })
  stream.on('error', () => {})
  await once(stream, 'response')
  stream.close(constants.NGHTTP2_CANCEL)
  await closed(1)
  t.match(slow(), [{ slowRequest: { route: '/export', status: 200, aborted: true } }])
})

for (const [title, bytes] of [['small', 70_000], ['large', 5_000_000]] as const) {
  t.test(`an HTTP/2 client that cancels before a ${title} reply already handed over has arrived is aborted`, async (t) => {
    const handedOver = gate()
    const { session, slow, closed } = await buildHttp2App(t, (app) => {
      app.get('/big', (_request, reply) => {
        reply.hijack()
        reply.raw.end(Buffer.alloc(bytes))
        void handedOver.pass()
      })
    })
    // Never read: the flow-control window of 64 KiB stays shut.
    const stream = session.request({ ':path': '/big' })
    stream.on('error', () => {})
    await once(stream, 'response')
    await handedOver.arrived()
    stream.close(constants.NGHTTP2_CANCEL)
    await closed(1)
    t.match(slow(), [{ slowRequest: { route: '/big', status: 200, aborted: true } }])
  })
}

t.test('an HTTP/2 connection that dies logs each of its open requests', async (t) => {
  const never = gate()
  const { session, slow, closed } = await buildHttp2App(t, (app) => {
    app.get('/never/:n', () => never.pass())
  })
  for (const n of [1, 2, 3]) session.request({ ':path': `/never/${n}` }).on('error', () => {})
  await never.arrived(3)
  session.destroy()
  await closed(3)
  t.strictSame(slow().map((line) => line.slowRequest!.aborted), [true, true, true])
})
