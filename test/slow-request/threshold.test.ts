import t from 'tap'
import { buildApp } from './build-app.js'

/** `/650` takes 650 ms. */
const takesAsLongAsItSays: Parameters<typeof buildApp>[1]['routes'] = (app, clock) => {
  app.get<{ Params: { time: string } }>('/:time', async (request) => {
    clock.advance(Number(request.params.time))
    return 'done'
  })
}

t.test('a request of 500 ms or more is logged, with no options at all', async (t) => {
  const { app, slow, closed } = await buildApp(t, { routes: takesAsLongAsItSays })
  for (const time of [499.9, 500, 12_345.678]) await app.inject(`/${time}`)
  await closed(3)
  t.strictSame(slow().map((line) => line.slowRequest!.elapsed), [500, 12_345.7])
})

t.test('a slow request writes one warning with method, route, status, elapsed and the request id', async (t) => {
  const { app, slow, closed } = await buildApp(t, {
    server: { genReqId: () => 'request-7' },
    routes: (app, clock) => {
      app.post('/orders/:id', async (_request, reply) => {
        clock.advance(750)
        return reply.code(201).send('made')
      })
    }
  })
  const response = await app.inject({ method: 'POST', url: '/orders/7' })
  await closed(1)
  t.equal(response.statusCode, 201)
  t.equal(slow().length, 1)
  const [line] = slow()
  t.match(line, { level: 40, msg: 'slow request', reqId: 'request-7' })
  t.match(line!.slowRequest, { method: 'POST', route: '/orders/:id', status: 201, elapsed: 750 })
})

t.test('a quick request writes no line', async (t) => {
  const { app, slow, closed } = await buildApp(t, { routes: takesAsLongAsItSays })
  await app.inject('/20')
  await closed(1)
  t.strictSame(slow(), [])
})

t.test('threshold 0 logs every request', async (t) => {
  const { app, slow, closed } = await buildApp(t, { options: { threshold: 0 }, routes: takesAsLongAsItSays })
  for (const time of [0, 1, 2]) await app.inject(`/${time}`)
  await closed(3)
  t.strictSame(slow().map((line) => line.slowRequest!.elapsed), [0, 1, 2])
})

t.test('a threshold may be written with its unit', async (t) => {
  const { app, slow, closed } = await buildApp(t, { options: { threshold: '1.5s' }, routes: takesAsLongAsItSays })
  for (const time of [1_499, 1_500]) await app.inject(`/${time}`)
  await closed(2)
  t.strictSame(slow().map((line) => line.slowRequest!.elapsed), [1_500])
})

t.test('without a clock of its own it measures real time', async (t) => {
  const { app, slow, closed } = await buildApp(t, { options: { now: undefined, threshold: 0 } as object, routes: takesAsLongAsItSays })
  await app.inject('/0')
  await closed(1)
  const { elapsed } = slow()[0]!.slowRequest!
  t.ok(elapsed >= 0 && elapsed < 60_000, `elapsed is ${elapsed}`)
})

t.test('a server without a logger still answers', async (t) => {
  const { app, closed } = await buildApp(t, { server: { logger: false }, options: { threshold: 0 }, routes: takesAsLongAsItSays })
  const response = await app.inject('/1')
  await closed(1)
  t.equal(response.body, 'done')
})
