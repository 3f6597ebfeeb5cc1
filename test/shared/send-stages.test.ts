import fastify, { type FastifyReply } from 'fastify'
import { Readable } from 'node:stream'
import t from 'tap'
import { addSendStage, type StageName } from '../../plugins/shared/send-stages.js'

for (const order of [['validators', 'encoding'], ['encoding', 'validators']] as StageName[][]) {
  t.test(`registered as ${order.join(', ')}, what is sent comes to validators first, behind every hook`, async (t) => {
    const app = fastify()
    t.teardown(() => app.close())
    const seen: unknown[] = []
    for (const name of order) {
      app.addHook('onRoute', (route) => {
        addSendStage(route, name, (_request, _reply, payload) => {
          seen.push([name, payload])
          return `${String(payload)} ${name}`
        })
      })
    }
    app.get('/', { onSend: async (_request, _reply, payload) => `${String(payload)} route` }, async () => 'handler')
    app.addHook('onSend', async (_request, _reply, payload) => `${String(payload)} instance`)
    t.equal((await app.inject('/')).body, 'handler instance route validators encoding')
    t.strictSame(seen, [['validators', 'handler instance route'], ['encoding', 'handler instance route validators']])
  })
}

t.test('a stage may take its time, and what it throws becomes the reply', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  let fails = false
  app.addHook('onRoute', (route) => {
    addSendStage(route, 'validators', async (_request, reply) => {
      if (fails && reply.statusCode === 200) throw new Error('no')
      return 'later'
    })
    addSendStage(route, 'encoding', (_request, reply, payload) => {
      if (payload === 'later' && fails && reply.statusCode === 200) throw new Error('never')
      return payload
    })
  })
  app.get('/', async () => 'first')
  t.equal((await app.inject('/')).body, 'later')
  fails = true
  t.equal((await app.inject('/')).statusCode, 500)
})

t.test('what Fastify cannot send after a stage that took its time is an error, and no end of the process', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.addHook('onRoute', (route) => { addSendStage(route, 'validators', async (_request, _reply, payload) => payload) })
  app.get('/', async (_request, reply) => reply.header('x-bad', 'a\nb').send('x'))
  t.equal((await app.inject('/')).statusCode, 500)
})

t.test('a Response and a stream of the web come as what they hold', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const seen: Array<[number, unknown, boolean]> = []
  app.addHook('onRoute', (route) => {
    addSendStage(route, 'validators', (_request, reply: FastifyReply, payload) => {
      seen.push([reply.statusCode, reply.getHeader('x-own'), payload instanceof Readable])
      return payload
    })
  })
  app.get('/response', async () => new Response('text', { status: 201, headers: { 'x-own': 'yes' } }))
  app.get('/empty', async () => new Response(null, { status: 204 }))
  app.get('/stream', async () => new Blob(['text']).stream())
  t.match(await app.inject('/response'), { statusCode: 201, body: 'text' })
  t.match(await app.inject('/empty'), { statusCode: 204, body: '' })
  t.match(await app.inject('/stream'), { statusCode: 200, body: 'text' })
  t.strictSame(seen, [[201, 'yes', true], [204, undefined, false], [200, undefined, true]])
})

t.test('a HEAD has what its GET would have, and nothing of its stream is read', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.addHook('onRoute', (route) => { addSendStage(route, 'encoding', (_request, _reply, payload) => typeof payload === 'string' ? `${payload}${payload}` : payload) })
  let reads = 0
  const endless = new Readable({ read () { reads++; this.push('x') } })
  app.get('/text', async () => 'five!')
  app.get('/none', async (_request, reply) => reply.send())
  app.get('/endless', async () => endless)
  app.get('/unmodified', async (_request, reply) => reply.code(304).send())
  app.head('/own', async (_request, reply) => reply.header('content-length', '17').send())
  t.equal((await app.inject({ method: 'HEAD', url: '/text' })).headers['content-length'], '10')
  t.equal((await app.inject({ method: 'HEAD', url: '/none' })).headers['content-length'], '0')
  t.equal((await app.inject({ method: 'HEAD', url: '/own' })).headers['content-length'], '17')
  t.strictSame((await app.inject({ method: 'HEAD', url: '/unmodified' })).headers['content-length'], undefined)
  t.equal((await app.inject({ method: 'HEAD', url: '/endless' })).statusCode, 200)
  t.ok(endless.destroyed)
  t.ok(reads <= 1)
})

t.test('hooks that routes share are left as they are', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const seen: unknown[] = []
  app.addHook('onRoute', (route) => { addSendStage(route, 'validators', (_request, _reply, payload) => { seen.push(['validators', payload]); return payload }) })
  const shared = [async (_request: unknown, _reply: unknown, payload: unknown) => payload]
  for (const url of ['/a', '/b']) app.get(url, { onSend: shared }, async () => url)
  await app.inject('/a')
  await app.inject('/b')
  t.equal(shared.length, 1)
  t.strictSame(seen, [['validators', '/a'], ['validators', '/b']])
})
