import t from 'tap'
import { buildExample, seededPostgres } from '../helpers/example-app.js'
import { eventually } from '../helpers/eventually.js'

t.test('the pool', async (t) => {
  const app = await buildExample(t, { databaseUrl: await seededPostgres(t), poolMax: 2, leakThreshold: '300ms' })
  const warned = t.capture(app.log, 'warn')
  const lines: string[] = []
  const leakLines = (): string[] => {
    for (const { args: [line, text] } of warned()) if (Object.hasOwn(line as object, 'leak')) lines.push(`${JSON.stringify(line)} ${String(text)}`)
    return lines
  }

  t.test('it is ready, which nobody keeps', async (t) => {
    const response = await app.inject('/api/ready')
    t.match([response.statusCode, response.json(), response.headers['cache-control']], [200, { ready: true }, 'no-store'])
  })

  t.test('exhausted, the guarded route answers 503 in time and says when to come again; the other one waits', async (t) => {
    t.equal((await app.inject({ method: 'POST', url: '/api/pool/leak?seconds=1' })).statusCode, 202)
    t.equal((await app.inject({ method: 'POST', url: '/api/pool/leak' })).statusCode, 409, 'one at a time')
    const unguarded = Promise.all([1, 2, 3].map(() => app.inject('/api/pool/work-unguarded?ms=800')))
    await eventually(() => app.poolHealth.status().main!.waiting === 2)
    const refused = await app.inject('/api/pool/work?ms=0')
    t.equal(app.poolHealth.status().main!.waiting, 2, 'before anybody has a connection back')
    t.match([refused.statusCode, refused.headers['retry-after']], [503, /^\d+$/])
    t.notMatch(refused.body, /pool|connection/, 'nothing of what is behind it')
    t.strictSame((await unguarded).map(({ statusCode }) => statusCode), [200, 200, 200])
    t.strictSame((await app.inject('/api/pool/work?ms=1')).json(), { held: 1 })
  })

  t.test('who keeps a connection is told in the log, and that it came back', async (t) => {
    await eventually(() => leakLines().some((line) => line.includes('came back')))
    const [held, back] = lines.filter((line) => line.includes('"route":"/api/pool/leak"'))
    t.match(held, /"method":"POST".*"requestId":"req-.*"site":"[^"]*example-app[\\/]+routes[\\/]+pool\.[jt]s:\d+:\d+".*is held for too long$/)
    t.match(back, /"site":"[^"]*pool\.[jt]s:\d+:\d+".*came back$/)
    t.match((await app.inject('/api/health')).json(), { pools: { main: { ready: true, leaked: Number } }, advice: { main: { verdict: String, reason: String } } })
  })

  t.test('what is out of bounds is refused', async (t) => {
    for (const url of ['/api/pool/work?ms=2001', '/api/pool/work?ms=-1', '/api/pool/work-unguarded?ms=x', '/api/pool/work?m=1']) t.equal((await app.inject(url)).statusCode, 400, url)
    t.equal((await app.inject({ method: 'POST', url: '/api/pool/leak?seconds=61' })).statusCode, 400)
  })

  t.test('a connection that is kept does not hold up the close', async (t) => {
    t.equal((await app.inject({ method: 'POST', url: '/api/pool/leak?seconds=60' })).statusCode, 202)
    await t.resolves(app.close())
  })
})
