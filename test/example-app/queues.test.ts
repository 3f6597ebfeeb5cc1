import t from 'tap'
import { eventually } from '../helpers/eventually.js'
import { buildExample, seededPostgres } from '../helpers/example-app.js'
import { query } from '../helpers/postgres.js'
import { ownRedis } from '../helpers/redis.js'

t.test('both queues are shown, with what could not be saved, but not with what a user has written', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const app = await buildExample(t, { databaseUrl, redisUrl: (await ownRedis(t)).url })
  // A busy machine may not answer in the time of a command.
  await eventually(async () => Object.values((await app.inject('/api/queues')).json().queues as Record<string, { firstDead?: unknown, stats: { depth?: number } }>)
    .every(({ stats, firstDead }) => stats.depth !== undefined && firstDead !== undefined))
  t.match((await app.inject('/api/queues')).json(), {
    writeBehind: true,
    queues: {
      profiles: { stats: { depth: 0, lag: 0, deadLetters: 0, saved: 0 }, firstDead: [] },
      views: { stats: { depth: 0, lag: 0, deadLetters: 0, saved: 0 }, firstDead: [] }
    }
  })
  await query(databaseUrl, `
    CREATE FUNCTION refuse () RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not %', NEW.headline USING ERRCODE = '22023'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON headroom_example.users FOR EACH ROW EXECUTE FUNCTION refuse()`)
  await app.inject({ method: 'PUT', url: '/api/users/7/profile', payload: { headline: 'My secret', location: 'London' } })
  await app.inject({ method: 'POST', url: '/api/users/7/views' })
  await eventually(async () => (await app.inject('/api/queues')).json().queues.profiles.stats.deadLetters === 1, 15_000)
  await eventually(async () => (await app.inject('/api/queues')).json().queues.views.stats.depth === 0)
  await eventually(async () => (await app.inject('/api/queues')).json().queues.profiles.firstDead !== undefined)
  const response = await app.inject('/api/queues')
  const { profiles, views } = response.json().queues
  t.match(profiles, { stats: { dead: 1 }, firstDead: [{ id: 7, version: Number, tries: 5, reason: '22023' }] })
  t.match(views, { stats: { saved: 1, queued: 1 }, firstDead: [] })
  t.notMatch(response.body, /secret|London/)
})

t.test('while Redis is away it says what it knows', async (t) => {
  const redis = await ownRedis(t)
  const app = await buildExample(t, { databaseUrl: await seededPostgres(t), redisUrl: redis.url })
  await redis.kill()
  const response = await app.inject('/api/queues')
  t.equal(response.statusCode, 200)
  t.notOk('depth' in response.json().queues.profiles.stats)
  t.notOk('firstDead' in response.json().queues.profiles)
})

t.test('without Redis there are none', async (t) => {
  const app = await buildExample(t, { databaseUrl: await seededPostgres(t) })
  t.same((await app.inject('/api/queues')).json(), { writeBehind: false, queues: {} })
})

t.test('a Redis that is known to keep what it is given is insisted on; another one is used as it is', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const { url: redisUrl } = await ownRedis(t)
  await t.rejects(buildExample(t, { databaseUrl, redisUrl, redisDurable: true }), { code: 'FST_HEADROOM_WRITE_BEHIND_DURABILITY' })
  const keeping = await ownRedis(t, { persist: true })
  await t.resolves(buildExample(t, { databaseUrl, redisUrl: keeping.url, redisDurable: true }))
  await t.resolves(buildExample(t, { databaseUrl, redisUrl }))
})
