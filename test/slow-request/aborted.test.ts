import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { Clock } from '../helpers/clock.js'
import { gate } from '../helpers/gate.js'
import { buildApp, listen } from './build-app.js'

/** `/never` takes 600 ms and then never answers; `/quick` answers at once. */
async function buildStubbornApp (t: Test, options = {}) {
  const never = gate()
  const watched = await buildApp(t, {
    options,
    routes: (app: FastifyInstance, clock: Clock) => {
      app.route({
        method: ['GET', 'POST'],
        url: '/never',
        handler: () => {
          clock.advance(600)
          return never.pass()
        }
      })
      app.get('/quick', async () => 'quick')
    }
  })
  const port = await listen(watched.app)
  return { ...watched, port, reached: () => never.arrived() }
}

async function client (t: Test, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

const get = (url: string): string => `GET ${url} HTTP/1.1\r\nHost: test\r\n\r\n`

t.test('a client that leaves a GET unanswered is logged once, aborted, with no status', async (t) => {
  const { port, slow, closed, reached } = await buildStubbornApp(t)
  const socket = await client(t, port)
  socket.write(get('/never'))
  await reached()
  socket.destroy()
  await closed(1)
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'GET', route: '/never', status: null, elapsed: 600, aborted: true }])
})

t.test('a client that leaves after it has sent a POST with a body is logged once, aborted', async (t) => {
  const { port, slow, closed, reached } = await buildStubbornApp(t)
  const socket = await client(t, port)
  socket.write('POST /never HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a":"b"}')
  await reached()
  socket.resetAndDestroy()
  await closed(1)
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'POST', route: '/never', status: null, elapsed: 600, aborted: true }])
})

t.test('a client that leaves in the middle of its own body is logged once', async (t) => {
  const { port, app, slow, closed } = await buildStubbornApp(t, { threshold: 0 })
  const socket = await client(t, port)
  const arrived = once(app.server, 'request')
  socket.write('POST /never HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"a"')
  await arrived
  socket.destroy()
  await closed(1)
  t.equal(slow().length, 1)
  t.match(slow()[0]!.slowRequest, { method: 'POST', route: '/never', aborted: true })
})

t.test('a completed POST with a body is not called aborted', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 0 },
    routes: (app) => { app.post('/', async (request) => request.body) }
  })
  const port = await listen(app)
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } })
  t.strictSame(await response.json(), { a: 1 })
  await closed(1)
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'POST', route: '/', status: 200, elapsed: 0 }])
})

t.test('on one kept-alive connection each request has its own line, and only the one cut off is aborted', async (t) => {
  const { port, slow, closed, reached } = await buildStubbornApp(t, { threshold: 0 })
  const socket = await client(t, port)
  for (const count of [1, 2]) {
    socket.write(get('/quick'))
    await closed(count)
  }
  socket.write(get('/never'))
  await reached()
  socket.destroy()
  await closed(3)
  t.strictSame(slow().map(({ slowRequest }) => [slowRequest!.route, slowRequest!.status, slowRequest!.aborted]), [
    ['/quick', 200, undefined], ['/quick', 200, undefined], ['/never', null, true]
  ])
})

t.test('a client that leaves in the middle of a streamed reply is logged with the status it saw, aborted', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 0 },
    routes: (app) => {
      app.get('/export', async () => new Readable({ read () { this.push('x'.repeat(65_536)) } }))
    }
  })
  const socket = await client(t, await listen(app))
  socket.write(get('/export'))
  await once(socket, 'data')
  socket.destroy()
  await closed(1)
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'GET', route: '/export', status: 200, elapsed: 0, aborted: true }])
})

t.test('a client that leaves before a reply already handed over has arrived is aborted', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    options: { threshold: 0 },
    routes: (app) => { app.get('/big', async () => Buffer.alloc(64 * 2 ** 20)) }
  })
  const socket = await client(t, await listen(app))
  socket.write(get('/big'))
  await once(socket, 'data')
  socket.destroy()
  await closed(1)
  t.strictSame(slow().map((line) => line.slowRequest), [{ method: 'GET', route: '/big', status: 200, elapsed: 0, aborted: true }])
})

t.test('of pipelined requests that a client leaves, every one is logged', async (t) => {
  const never = gate()
  const { app, clock, slow } = await buildApp(t, {
    routes: (app, clock) => {
      app.get('/never/:n', () => {
        clock.advance(600)
        return never.pass()
      })
    }
  })
  const port = await listen(app)
  const gone = new Promise((resolve) => app.server.once('connection', (peer: Socket) => peer.once('close', resolve)))
  const socket = await client(t, port)
  socket.write(get('/never/1') + get('/never/2'))
  await never.arrived(2)
  socket.destroy()
  await gone
  await new Promise(setImmediate)
  t.equal(clock.now(), 1_200)
  t.strictSame(slow().map((line) => line.slowRequest!.aborted), [true, true])
})
