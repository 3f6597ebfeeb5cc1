import t from 'tap'
import { buildApp, listen } from './build-app.js'

t.test('the slow line holds nothing that the client sent: no URL, parameter, header, body or address', async (t) => {
  const { app, slowText, closed } = await buildApp(t, {
    options: { threshold: 0 },
    routes: (app) => { app.post('/users/:email/files/*', async () => ({ reply: 'reply-secret' })) }
  })
  const port = await listen(app)
  const response = await fetch(`http://127.0.0.1:${port}/users/param-secret/files/wildcard-secret?token=query-secret&key-secret`, {
    method: 'POST',
    headers: { authorization: 'Bearer header-secret', cookie: 'sid=cookie-secret', 'content-type': 'application/json', 'user-agent': 'agent-secret' },
    body: JSON.stringify({ password: 'body-secret' })
  })
  await response.text()
  await closed(1)
  t.equal(slowText().length, 1)
  t.notMatch(slowText()[0], /secret/)
  t.notMatch(slowText()[0], /127\.0\.0\.1/)
  t.match(slowText()[0], /"route":"\/users\/:email\/files\/\*"/)
})

t.test('the slow line of a URL that no route has holds nothing of that URL', async (t) => {
  const { app, slowText, closed } = await buildApp(t, { options: { threshold: 0 }, routes: () => {} })
  await app.inject('/path-secret?token=query-secret')
  await closed(1)
  t.equal(slowText().length, 1)
  t.notMatch(slowText()[0], /secret/)
})

t.test('the slow line has the five fields it promises and no other', async (t) => {
  const { app, slow, closed } = await buildApp(t, { options: { threshold: 0 }, routes: (app) => { app.get('/', async () => 'x') } })
  const port = await listen(app)
  await (await fetch(`http://127.0.0.1:${port}/?a=b`)).text()
  await closed(1)
  const { level, time, pid, hostname, reqId, msg, slowRequest, ...others } = slow()[0]!
  t.strictSame(others, {})
  t.strictSame(Object.keys(slowRequest!).sort(), ['elapsed', 'method', 'route', 'status'])
})

t.test('an error thrown by a slow handler is not repeated in the slow line', async (t) => {
  const { app, slowText, closed } = await buildApp(t, {
    options: { threshold: 0 },
    routes: (app) => { app.get('/', async () => { throw new Error('error-secret') }) }
  })
  await app.inject('/')
  await closed(1)
  t.equal(slowText().length, 1)
  t.notMatch(slowText()[0], /secret/)
})
