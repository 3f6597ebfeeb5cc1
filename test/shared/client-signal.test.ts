import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { clientSignal, ClientLeftError } from '../../plugins/shared/client-signal.js'
import { eventually } from '../helpers/eventually.js'

interface Watched {
  app: FastifyInstance
  port: number
  signals: AbortSignal[]
  /** How often each signal fired. */
  fired: number[]
  /** Lets the handler answer. */
  answer: () => void
}

async function build (t: Test, { http2 = false } = {}): Promise<Watched> {
  const app = (http2 ? fastify({ http2: true }) : fastify({ forceCloseConnections: true })) as unknown as FastifyInstance
  t.teardown(() => app.close())
  const signals: AbortSignal[] = []
  const fired: number[] = []
  let answer!: () => void
  const answered = new Promise<void>((resolve) => { answer = resolve })
  app.addHook('preHandler', async (request, reply) => {
    const signal = clientSignal(request, reply)
    const index = signals.push(signal) - 1
    fired[index] = 0
    signal.addEventListener('abort', () => { fired[index]!++ })
  })
  app.route({ method: ['GET', 'POST'], url: '/held', handler: async () => { await answered; return { ok: true } } })
  app.route({ method: ['GET', 'POST'], url: '/quick', handler: async () => ({ ok: true }) })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, signals, fired, answer, port: (app.server.address() as AddressInfo).port }
}

function send (port: number, request: string): Socket {
  const socket = connect(port, '127.0.0.1', () => { socket.write(request) })
  return socket.on('error', () => {})
}

const GET = 'GET /held HTTP/1.1\r\nHost: x\r\n\r\n'
const HEAD = 'HEAD /held HTTP/1.1\r\nHost: x\r\n\r\n'
const POST = 'POST /held HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'

for (const [method, request] of Object.entries({ GET, HEAD, POST })) {
  t.test(`${method}: fires once when the client leaves, not before`, async (t) => {
    const { port, signals, fired } = await build(t)
    const socket = send(port, request)
    await eventually(() => signals.length === 1)
    t.equal(fired[0], 0)
    socket.destroy()
    await eventually(() => fired[0] === 1)
    t.type(signals[0]!.reason, ClientLeftError)
    t.match(signals[0]!.reason, { name: 'AbortError', code: 'FST_HEADROOM_CLIENT_LEFT' })
  })

  t.test(`${method}: never fires when the reply was sent, also when the connection ends after it`, async (t) => {
    const { port, signals, fired, answer, app } = await build(t)
    const socket = send(port, request)
    await eventually(() => signals.length === 1)
    answer()
    await once(socket, 'data')
    socket.destroy()
    await app.close()
    t.equal(fired[0], 0)
  })
}

t.test('on a connection that is used again, only the request that was broken off fires', async (t) => {
  const { port, signals, fired } = await build(t)
  const socket = send(port, 'GET /quick HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  socket.write(POST)
  await eventually(() => signals.length === 2)
  socket.destroy()
  await eventually(() => fired[1] === 1)
  t.strictSame(fired, [0, 1])
})

t.test('requests pipelined behind one that hangs fire with it', async (t) => {
  const { port, signals, fired } = await build(t)
  const socket = send(port, GET + GET)
  await eventually(() => signals.length === 2)
  socket.destroy()
  await eventually(() => fired.every((count) => count === 1))
  t.strictSame(fired, [1, 1])
})

t.test('a client that is gone before the signal is asked for finds it aborted', async (t) => {
  const app = fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  let signal: AbortSignal | undefined
  let arrived = false
  app.get('/', async (request, reply) => {
    arrived = true
    await once(request.raw.socket, 'close')
    signal = clientSignal(request, reply)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = send((app.server.address() as AddressInfo).port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually(() => arrived)
  socket.destroy()
  await eventually(() => signal !== undefined)
  t.equal(signal!.aborted, true)
})

t.test('HTTP/2: fires when the stream is cancelled, and not for the one beside it', async (t) => {
  const { port, signals, fired, answer, app } = await build(t, { http2: true })
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  t.teardown(() => session.destroy())
  const cancelled = session.request({ ':path': '/held', ':method': 'POST' })
  cancelled.on('error', () => {})
  cancelled.end()
  await eventually(() => signals.length === 1)
  const kept = session.request({ ':path': '/held' })
  await eventually(() => signals.length === 2)
  cancelled.close(8)
  await eventually(() => fired[0] === 1)
  answer()
  kept.resume()
  await once(kept, 'end')
  session.close()
  await app.close()
  t.strictSame(fired, [1, 0])
})

t.test('inject: never fires', async (t) => {
  const { app, fired, answer } = await build(t)
  answer()
  for (const method of ['GET', 'POST', 'HEAD'] as const) t.equal((await app.inject({ method, url: '/held' })).statusCode, 200)
  t.strictSame(fired, [0, 0, 0])
})

t.test('a request has one signal, whoever asks', async (t) => {
  const app = fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  const asked = new Set<AbortSignal>()
  app.get('/', async (request, reply) => {
    for (let time = 0; time < 3; time++) asked.add(clientSignal(request, reply))
    return 'ok'
  })
  await app.inject('/')
  t.equal(asked.size, 1)
})
