import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import pg from 'pg'
import { eventually } from '../helpers/eventually.js'
import { buildExample, seededPostgres } from '../helpers/example-app.js'
import { query } from '../helpers/postgres.js'
import { ownRedis } from '../helpers/redis.js'

const PROFILE = { headline: 'Counts', location: 'London' }

interface Put { written: unknown, status: number, body: unknown }

async function put (app: FastifyInstance, id: number, payload: object, search = ''): Promise<Put> {
  const response = await app.inject({ method: 'PUT', url: `/api/users/${id}/profile${search}`, payload })
  return { written: response.headers['x-written'], status: response.statusCode, body: response.json() }
}

async function get (app: FastifyInstance, id: number): Promise<unknown> {
  return (await app.inject(`/api/users/${id}/profile`)).json()
}

async function saved (databaseUrl: string, id: number): Promise<unknown> {
  return (await query(databaseUrl, `SELECT headline, location FROM headroom_example.users WHERE id = ${id}`))[0]
}

/** Nothing can be saved until `release`. */
async function heldDatabase (t: Test, databaseUrl: string): Promise<{ release (): Promise<void> }> {
  const locker = new pg.Client({ connectionString: databaseUrl })
  await locker.connect()
  let isReleased = false
  const release = async (): Promise<void> => {
    if (!isReleased) await locker.end()
    isReleased = true
  }
  t.teardown(release)
  await locker.query('BEGIN; LOCK headroom_example.users IN SHARE MODE')
  return { release }
}

t.test('profiles', async (t) => {
  const databaseUrl = await seededPostgres(t)
  // Whoever else shares the queue would save into another database.
  const { url: redisUrl } = await ownRedis(t)
  const [app, other] = await Promise.all([1, 2].map((instance) => buildExample(t, { databaseUrl, redisUrl, instance }))) as [FastifyInstance, FastifyInstance]

  t.test('a change is read by every instance before it is saved, and is saved soon', async (t) => {
    const held = await heldDatabase(t, databaseUrl)
    t.same(await put(app, 7, PROFILE), { written: 'behind', status: 200, body: PROFILE })
    t.same(await get(app, 7), PROFILE)
    t.same(await get(other, 7), PROFILE)
    t.same(await saved(databaseUrl, 7), { headline: '', location: '' })
    await held.release()
    await eventually(async () => (await saved(databaseUrl, 7) as typeof PROFILE).headline === 'Counts')
    t.same(await saved(databaseUrl, 7), PROFILE)
  })

  t.test('of many changes through two instances the last one stays', async (t) => {
    for (let round = 0; round < 50; round++) await put(round % 2 === 0 ? app : other, 8, { headline: `Round ${round}`, location: 'Paris' })
    await eventually(async () => (await app.queues.get('profiles')!.stats()).depth === 0)
    t.same(await saved(databaseUrl, 8), { headline: 'Round 49', location: 'Paris' })
    t.same(await get(other, 8), { headline: 'Round 49', location: 'Paris' })
  })

  t.test('many profiles are saved together', async (t) => {
    const ids = Array.from({ length: 100 }, (_, index) => 101 + index)
    await Promise.all(ids.map((id) => put(app, id, { headline: `Number ${id}`, location: '' })))
    await eventually(async () => (await app.queues.get('profiles')!.stats()).depth === 0)
    t.same(await query(databaseUrl, "SELECT count(*)::int FROM headroom_example.users WHERE id > 100 AND headline = 'Number ' || id"), [{ count: 100 }])
  })

  t.test('with ?through=1 it is saved before it is answered, and stays when its turn in the queue comes', async (t) => {
    await put(app, 9, { headline: 'Older', location: 'Bath' })
    t.same(await put(app, 9, PROFILE, '?through=1'), { written: 'through', status: 200, body: PROFILE })
    t.same(await saved(databaseUrl, 9), PROFILE)
    await eventually(async () => (await app.queues.get('profiles')!.stats()).depth === 0)
    t.same(await saved(databaseUrl, 9), PROFILE)
    t.same(await get(other, 9), PROFILE)
  })

  t.test('a request that makes no sense is answered 4xx and changes nothing', async (t) => {
    for (const [id, payload, search, status] of [
      [10, {}, '', 400], [10, { headline: 'x' }, '', 400], [10, { ...PROFILE, age: 1 }, '', 400], [10, { ...PROFILE, headline: 'x'.repeat(201) }, '', 400],
      [10, { ...PROFILE, headline: 'a\0b' }, '', 400], [10, PROFILE, '?through=yes', 400], [10, PROFILE, '?trough=1', 400], [0, PROFILE, '', 400], [10_000, PROFILE, '', 404]
    ] as const) {
      t.equal((await put(app, id, payload, search)).status, status, JSON.stringify([id, payload, search]))
    }
    t.same(await get(app, 10), { headline: '', location: '' })
    t.equal((await app.inject('/api/users/10000/profile')).statusCode, 404)
  })
})

t.test('what waits when the app closes is saved first', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const app = await buildExample(t, { databaseUrl, redisUrl: (await ownRedis(t)).url })
  await put(app, 7, PROFILE)
  await app.close()
  t.same(await saved(databaseUrl, 7), PROFILE)
})

t.test('while Redis is away a change is saved at once', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const redis = await ownRedis(t)
  const app = await buildExample(t, { databaseUrl, redisUrl: redis.url })
  await redis.kill()
  t.equal((await put(app, 7, PROFILE)).status, 200)
  t.same(await saved(databaseUrl, 7), PROFILE)
  t.same(await get(app, 7), PROFILE)
})

t.test('without Redis a change is saved before it is answered', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const app = await buildExample(t, { databaseUrl })
  t.same(await put(app, 7, PROFILE), { written: 'through', status: 200, body: PROFILE })
  t.same(await saved(databaseUrl, 7), PROFILE)
  t.same(await get(app, 7), PROFILE)
})
