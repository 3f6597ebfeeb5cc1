import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { eventually } from './eventually.js'
import { query, usePostgres } from './postgres.js'
import { useRedis } from './redis.js'
import { startProxy, type TcpProxy } from './tcp-proxy.js'

async function listen (t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** A server that does this with each connection, and a proxy before it. */
async function proxied (t: Test, serve: (socket: Socket) => void): Promise<TcpProxy> {
  const port = await listen(t, createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {})
    // One that reads nothing does not notice that it was cut off.
    t.teardown(() => socket.destroy())
    serve(socket)
  }))
  return await startProxy(t, port)
}

const echo = (socket: Socket): void => { socket.pipe(socket) }

interface Caller {
  socket: Socket
  /** What it has received. */
  received: () => Buffer
  /** Resolves with the error code with which the connection broke, or with 'end' when it ended in good order. */
  closed: Promise<string>
}

async function call (t: Test, port: number): Promise<Caller> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const chunks: Buffer[] = []
  let ending = 'end'
  socket.on('data', (data) => { chunks.push(data) })
  socket.on('error', (error: NodeJS.ErrnoException) => { ending = error.code! })
  const closed = new Promise<string>((resolve) => { socket.once('close', () => { resolve(ending) }) })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return { socket, closed, received: () => Buffer.concat(chunks) }
}

t.test('what is sent arrives, both ways, byte for byte, and ends in good order', async (t) => {
  const proxy = await proxied(t, echo)
  const { socket, received, closed } = await call(t, proxy.port)
  const bytes = randomBytes(5_000_000)
  socket.end(bytes)
  t.equal(await closed, 'end')
  t.ok(received().equals(bytes))
  t.equal(proxy.passed('toServer'), bytes.length)
  t.equal(proxy.passed('toClient'), bytes.length)
  await eventually(() => proxy.connections === 0)
})

t.test('Redis, Postgres and HTTP work through a proxy, by its URL', async (t) => {
  const { url: redisUrl } = await useRedis(t)
  const redis = new Redis((await startProxy(t, redisUrl)).url)
  t.equal(await redis.ping(), 'PONG')
  redis.disconnect()

  const { url } = await usePostgres(t)
  t.same(await query((await startProxy(t, url)).url, 'SELECT 1 AS one'), [{ one: 1 }])

  const port = await listen(t, createHttpServer((request, response) => { response.end(request.url) }))
  const { url: through } = await startProxy(t, `http://127.0.0.1:${port}/path`)
  t.equal(await (await fetch(through, { headers: { connection: 'close' } })).text(), '/path')
})

t.test('delays one direction, or both, and keeps the order', async (t) => {
  const proxy = await proxied(t, echo)
  const { socket, received } = await call(t, proxy.port)
  const roundTrip = async (text: string): Promise<number> => {
    const before = received().length
    const began = performance.now()
    socket.write(text)
    await eventually(() => received().length === before + text.length)
    return performance.now() - began
  }
  await roundTrip('a')
  proxy.delay(50, 'toServer')
  t.ok(await roundTrip('b') >= 50)
  proxy.delay(50)
  t.ok(await roundTrip('c') >= 100)

  socket.write('d')
  await eventually(() => proxy.held('toServer') === 1)
  proxy.delay(0)
  socket.write('e')
  await eventually(() => received().length === 5)
  t.equal(received().toString(), 'abcde')
})

t.test('cuts after byte N: that many arrive, none more, and the connection is reset', async (t) => {
  const proxy = await proxied(t, echo)
  await fc.assert(fc.asyncProperty(
    fc.constantFrom('toServer', 'toClient'), fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 1, max: 100_000 }),
    async (direction, bytes, surplus) => {
      proxy.cutAfter(Infinity, direction === 'toServer' ? 'toClient' : 'toServer')
      proxy.cutAfter(bytes, direction)
      const before = proxy.passed(direction)
      const { socket, received, closed } = await call(t, proxy.port)
      const sent = randomBytes(bytes + surplus)
      socket.write(sent)
      t.match(await closed, /^(ECONNRESET|EPIPE)$/)
      t.equal(proxy.passed(direction) - before, bytes)
      if (direction === 'toClient') t.equal(received().length, bytes)
      t.ok(sent.subarray(0, received().length).equals(received()))
    }), { numRuns: 40 })
})

t.test('the server has received every byte up to the cut', async (t) => {
  const arrived: Array<Promise<number>> = []
  const proxy = await proxied(t, (socket) => {
    let bytes = 0
    socket.on('data', (data) => { bytes += data.length })
    arrived.push(new Promise((resolve) => { socket.once('close', () => { resolve(bytes) }) }))
  })
  for (const bytes of [1, 2, 1_000, 65_536, 100_000]) {
    proxy.cutAfter(bytes, 'toServer')
    const { socket, closed } = await call(t, proxy.port)
    socket.write(randomBytes(bytes + 1))
    await closed
    t.equal(await arrived.at(-1), bytes)
  }
})

t.test('a cut counts from now on for a connection that is open, and can be taken back', async (t) => {
  const proxy = await proxied(t, echo)
  const { socket, received, closed } = await call(t, proxy.port)
  socket.write('before')
  await eventually(() => received().length === 6)

  proxy.cutAfter(3, 'toClient')
  proxy.cutAfter(Infinity, 'toClient')
  socket.write('again')
  await eventually(() => received().length === 11)
  proxy.cutAfter(3, 'toClient')
  socket.write('reply')

  t.equal(await closed, 'ECONNRESET')
  t.equal(received().toString(), 'beforeagainrep')
})

t.test('a command whose reply is cut has been executed', async (t) => {
  const { url, prefix } = await useRedis(t)
  const proxy = await startProxy(t, url)
  const direct = new Redis(url)
  const cut = new Redis(proxy.url, { maxRetriesPerRequest: 0, retryStrategy: () => null })
  cut.on('error', () => {})
  t.teardown(() => { direct.disconnect(); cut.disconnect() })
  await cut.ping()

  proxy.cutAfter(0, 'toClient')
  await t.rejects(cut.set(`${prefix}key`, 'value'))

  t.equal(await direct.get(`${prefix}key`), 'value')
})

for (const direction of ['toServer', 'toClient'] as const) {
  t.test(`swallows what goes ${direction} and nothing else, and lets it through later`, async (t) => {
    const arrived: Buffer[] = []
    const proxy = await proxied(t, (socket) => {
      socket.write('hello')
      socket.on('data', (data) => { arrived.push(data) })
    })
    proxy.swallow(direction)
    const { socket, received } = await call(t, proxy.port)
    socket.write('ping')
    const text = { toServer: () => Buffer.concat(arrived).toString(), toClient: () => received().toString() }
    const expected = { toServer: 'ping', toClient: 'hello' }
    const other = direction === 'toServer' ? 'toClient' : 'toServer'

    await eventually(() => text[other]() === expected[other] && proxy.held(direction) === expected[direction].length)
    t.equal(text[direction](), '')
    t.equal(proxy.held(other), 0)

    proxy.letThrough(direction)
    await eventually(() => text[direction]() === expected[direction])
    t.equal(proxy.held(direction), 0)
  })
}

t.test('who hears nothing does not hear either that the other side has gone', async (t) => {
  const proxy = await proxied(t, (socket) => { socket.once('data', () => { socket.resetAndDestroy() }) })
  const { socket, closed } = await call(t, proxy.port)
  proxy.swallow('toClient')
  socket.write('go')
  await eventually(() => proxy.passed('toServer') === 2)
  t.equal(await Promise.race([closed, new Promise((resolve) => { setTimeout(resolve, 50, 'open') })]), 'open')
  proxy.letThrough()
  t.equal(await closed, 'ECONNRESET')
})

t.test('a sender feels that nobody reads', async (t) => {
  const proxy = await proxied(t, (socket) => { socket.pause() })
  const { socket } = await call(t, proxy.port)
  const chunk = Buffer.alloc(1 << 20)
  let accepted = 0
  const more = (): void => {
    socket.write(chunk, (error) => {
      if (error) return
      accepted++
      more()
    })
  }
  more()
  let before = -1
  await eventually(async () => {
    const stalled = accepted === before
    before = accepted
    await new Promise((resolve) => { setTimeout(resolve, 100) })
    return stalled && accepted === before
  })
  t.ok(accepted < 64, `${accepted} MiB were taken in`)
  t.ok(proxy.held('toServer') < 2 << 20)
})

t.test('cuts all connections at once', async (t) => {
  const proxy = await proxied(t, echo)
  const callers = [await call(t, proxy.port), await call(t, proxy.port)]
  await eventually(() => proxy.connections === 2)
  proxy.cutAll()
  t.strictSame(await Promise.all(callers.map(({ closed }) => closed)), ['ECONNRESET', 'ECONNRESET'])
  await eventually(() => proxy.connections === 0)
})

t.test('refuses new connections, keeps the old ones, and accepts again', async (t) => {
  const proxy = await proxied(t, echo)
  const { socket, received } = await call(t, proxy.port)
  proxy.refuse()
  await t.rejects(call(t, proxy.port), { code: 'ECONNREFUSED' })
  socket.write('still here')
  await eventually(() => received().toString() === 'still here')
  await proxy.accept()
  await proxy.accept()
  await t.resolves(call(t, proxy.port))
})

t.test('a server that is away is a connection that breaks', async (t) => {
  const closed = createServer()
  const port = await listen(t, closed)
  await new Promise((resolve) => { closed.close(resolve) })
  const proxy = await startProxy(t, port)
  t.equal(await (await call(t, proxy.port)).closed, 'ECONNRESET')
  await eventually(() => proxy.connections === 0)
})

t.test('at the end of the test nothing is left, not even what was swallowed or late', async (t) => {
  let caller!: Caller
  let port = 0
  await t.test('a test', async (t) => {
    const proxy = await proxied(t, echo)
    port = proxy.port
    caller = await call(t, port)
    proxy.delay(60_000, 'toServer')
    proxy.swallow('toClient')
    caller.socket.write('late')
    await eventually(() => proxy.held('toServer') === 4)
  })
  await caller.closed
  await t.rejects(call(t, port), { code: 'ECONNREFUSED' })
})
