import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { buildExample, seededPostgres } from '../helpers/example-app.js'
import { childrenOf, runExample } from '../helpers/example-process.js'
import { query } from '../helpers/postgres.js'
import { ownRedis } from '../helpers/redis.js'

async function view (app: FastifyInstance, id: number, times: number, search = ''): Promise<void> {
  await Promise.all(Array.from({ length: times }, async () => {
    const { statusCode } = await app.inject({ method: 'POST', url: `/api/users/${id}/views${search}` })
    if (statusCode !== 204) throw new Error(`answered ${statusCode}`)
  }))
}

async function viewsOf (app: FastifyInstance, id: number): Promise<number> {
  return (await app.inject(`/api/users/${id}/views`)).json().views
}

/** While Redis does not answer in time, as on a busy machine, what waits there is not told. */
async function areViewed (apps: readonly FastifyInstance[], id: number, views: number): Promise<void> {
  for (const app of apps) await eventually(async () => await viewsOf(app, id) === views)
}

async function saved (databaseUrl: string, id: number): Promise<number> {
  return Number((await query(databaseUrl, `SELECT coalesce(sum(views), 0) AS sum FROM headroom_example.views WHERE user_id = ${id}`))[0]!.sum)
}

t.test('views', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const { url: redisUrl } = await ownRedis(t)
  const start = (instance: number): Promise<FastifyInstance> => buildExample(t, { databaseUrl, redisUrl, instance })
  const apps = await Promise.all([1, 2].map(start)) as [FastifyInstance, FastifyInstance]

  t.test('two hundred views at once over two instances are two hundred, whichever is asked, and so in the database', async () => {
    await areViewed(apps, 7, 0)
    await Promise.all(apps.map((app) => view(app, 7, 100)))
    await areViewed(apps, 7, 200)
    await eventually(async () => await saved(databaseUrl, 7) === 200)
    await areViewed(apps, 7, 200)
  })

  t.test('views that were saved at once, by ?through=1, count too', async () => {
    await view(apps[0], 8, 3)
    await Promise.all(apps.map((app) => view(app, 8, 5, '?through=1')))
    await areViewed(apps, 8, 13)
    await view(apps[0], 8, 1)
    await eventually(async () => await saved(databaseUrl, 8) === 14)
    await areViewed(apps, 8, 14)
  })

  t.test('an instance that comes back goes on from what it had counted', async () => {
    await view(apps[1], 9, 10)
    await apps[1].close()
    apps[1] = await start(2)
    await view(apps[1], 9, 10)
    await areViewed(apps, 9, 20)
  })

  t.test('of a user who does not exist there are none to be counted', async (t) => {
    t.equal((await apps[0].inject({ method: 'POST', url: '/api/users/10000/views' })).statusCode, 404)
    t.equal((await apps[0].inject('/api/users/10000/views')).statusCode, 404)
    t.equal((await apps[0].inject({ method: 'POST', url: '/api/users/7/views?through=0' })).statusCode, 400)
  })
})

t.test('without Redis views count, each saved before it is answered', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const apps = await Promise.all([1, 2].map((instance) => buildExample(t, { databaseUrl, instance })))
  await Promise.all(apps.map((app) => view(app, 7, 20)))
  t.equal(await saved(databaseUrl, 7), 40)
  t.equal(await viewsOf(apps[0]!, 7), 40)
  const response = await apps[0]!.inject({ method: 'POST', url: '/api/users/7/views' })
  t.equal(response.headers['x-written'], 'through')
})

t.test('of the views that were acknowledged none is lost with an instance that is killed, nor one made up', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const example = runExample(t, { DATABASE_URL: databaseUrl, REDIS_URL: (await ownRedis(t)).url }, ['--instances', '2'])
  const url = await example.url
  const counts = { asked: 0, acknowledged: 0 }
  const post = async (): Promise<string | null> => {
    counts.asked++
    // A connection that was handed to the one that is killed can stay open for ever.
    const request = { method: 'POST', headers: { connection: 'close' }, signal: AbortSignal.timeout(1_000) }
    const response = await fetch(`${url}/api/users/7/views`, request).catch(() => undefined)
    if (response?.status === 204) counts.acknowledged++
    return response?.headers.get('x-instance') ?? null
  }
  const killed = new AbortController()
  const clients = Array.from({ length: 8 }, async () => { while (!killed.signal.aborted) await post() })
  await eventually(() => counts.acknowledged > 200, 30_000)
  process.kill(childrenOf(example.child)[0]!, 'SIGKILL')
  await eventually(() => example.output().includes('starting another'), 15_000)
  killed.abort()
  await Promise.all(clients)
  const answering = new Set<string | null>()
  await eventually(async () => answering.add(await post()).has('1') && answering.has('2'), 15_000)
  const { views } = await (await fetch(`${url}/api/users/7/views`)).json() as { views: number }
  t.ok(views >= counts.acknowledged && views <= counts.asked, `${views} views, of ${counts.acknowledged} acknowledged and ${counts.asked} asked for`)
  await eventually(async () => await saved(databaseUrl, 7) === views, 15_000)
})
