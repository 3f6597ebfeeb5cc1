import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { onReplyClose } from '../../plugins/shared/reply-close.js'
import { eventually } from '../helpers/eventually.js'
import { gate } from '../helpers/gate.js'

async function listen (t: Test, app: FastifyInstance): Promise<number> {
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

t.test('a client that left before anybody asked is told of at once, as incomplete', async (t) => {
  const app = fastify() as unknown as FastifyInstance
  const outcomes: boolean[] = []
  const arrived = gate()
  app.addHook('onRequest', async (request) => {
    void arrived.pass()
    await once(request.raw.socket, 'close')
  })
  app.addHook('onRequest', async (request, reply) => { onReplyClose(request, reply, (complete) => { outcomes.push(complete) }) })
  app.get('/', async () => 'ok')
  const socket = connect(await listen(t, app), '127.0.0.1', () => { socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n') })
  await arrived.arrived()
  socket.destroy()
  await eventually(() => outcomes.length === 1)
  t.strictSame(outcomes, [false])
})

t.test('however many requests are pipelined, a connection has one listener for them', async (t) => {
  const app = fastify() as unknown as FastifyInstance
  const outcomes: boolean[] = []
  const counts: number[] = []
  app.addHook('onRequest', async (request, reply) => {
    onReplyClose(request, reply, (complete) => { outcomes.push(complete) })
    counts.push(request.raw.socket.listenerCount('close'))
  })
  const handlers = gate<string>()
  app.get('/', () => handlers.pass())
  const socket = connect(await listen(t, app), '127.0.0.1', () => { socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(30)) })
  await handlers.arrived(30)
  t.ok(Math.max(...counts) - Math.min(...counts) <= 1)
  socket.destroy()
  await eventually(() => outcomes.length === 30)
  t.strictSame(outcomes, Array(30).fill(false))
})
