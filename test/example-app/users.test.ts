import type { InjectOptions } from 'fastify'
import t from 'tap'
import pg from 'pg'
import { buildExample, seededPostgres, USERS } from '../helpers/example-app.js'
import { query } from '../helpers/postgres.js'
import { useRedis } from '../helpers/redis.js'

t.test('users', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const { url: redisUrl } = await useRedis(t)
  const app = await buildExample(t, { databaseUrl, redisUrl })

  t.test('the second read of a user comes from the cache', async (t) => {
    const first = await app.inject('/api/users/7')
    const second = await app.inject('/api/users/7')
    t.equal(first.headers['x-served-from'], 'database')
    t.equal(second.headers['x-served-from'], 'cache')
    t.match(first.json(), { id: 7, email: 'user7@example.com', updated_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z$/ })
    t.same(second.json(), first.json())
  })

  t.test('a change shows at the next read, and leaves the other fields alone', async (t) => {
    const before = (await app.inject('/api/users/8')).json()
    const changed = await app.inject({ method: 'PUT', url: '/api/users/8', payload: { name: 'Ada', bio: 'Counts.' } })
    t.equal(changed.statusCode, 200)
    const after = (await app.inject('/api/users/8')).json()
    t.same(after, { ...before, name: 'Ada', bio: 'Counts.', updated_at: after.updated_at })
    t.not(after.updated_at, before.updated_at)
    t.same(changed.json(), after)
  })

  t.test('a missing user is asked for again', async (t) => {
    const id = USERS + 1
    t.equal((await app.inject(`/api/users/${id}`)).statusCode, 404)
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    t.teardown(() => client.end())
    await client.query(`INSERT INTO headroom_example.users (id, name, email, bio) VALUES (${id}, 'New', 'new@example.com', 'New.')`)
    t.match((await app.inject(`/api/users/${id}`)).json(), { id, name: 'New' })
  })

  t.test('several users come in the order asked, duplicates kept, missing ones left out', async (t) => {
    const ids = async (query: string): Promise<number[]> => (await app.inject(`/api/users?ids=${query}`)).json().map(({ id }: { id: number }) => id)
    t.same(await ids('3,1,2'), [3, 1, 2])
    t.same(await ids('2,999,2,4294967296'), [2, 2])
  })

  t.test('a request that makes no sense is answered 4xx and changes nothing', async (t) => {
    const before = (await app.inject('/api/users/9')).json()
    const put = (payload: object, id = 9): InjectOptions => ({ method: 'PUT', url: `/api/users/${id}`, payload })
    for (const [request, status] of [
      ['/api/users/zero', 400], ['/api/users/0', 400], ['/api/users/2147483648', 400],
      ['/api/users', 400], ['/api/users?ids=', 400], ['/api/users?ids=1,,2', 400], ['/api/users?ids=1;DROP', 400],
      [`/api/users?ids=${Array(101).fill(1).join()}`, 400],
      [put({}), 400], [put({ nmae: 'x' }), 400], [put({ name: '' }), 400], [put({ name: 'a\0b' }), 400],
      [put({ name: 'x' }, 10_000), 404], [put({ email: 'user10@example.com' }), 409], [put({ email: `${'x'.repeat(5_000)}@example.com` }), 400]
    ] as const) {
      t.equal((await app.inject(request)).statusCode, status, JSON.stringify(request))
    }
    t.same((await app.inject('/api/users/9')).json(), before)
  })

  t.test('health shows the pool and the cache', async (t) => {
    t.match((await app.inject('/api/health')).json(), {
      status: 'ok', redis: 'ready', pools: { main: { max: 5, waiting: 0, errors: 0 } }, cache: { memoryHits: Number, loads: Number }
    })
  })
})

t.test('an error of the database is not shown to the client', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const app = await buildExample(t, { databaseUrl })
  await query(databaseUrl, 'ALTER TABLE headroom_example.users RENAME TO gone')
  const response = await app.inject('/api/users/7')
  t.equal(response.statusCode, 500)
  t.notMatch(response.body, /users|headroom_example|relation/)
})

t.test('a table of the host with the same name is neither read nor written', async (t) => {
  const databaseUrl = await seededPostgres(t)
  await query(databaseUrl, 'CREATE TABLE public.users (LIKE headroom_example.users); INSERT INTO public.users SELECT * FROM headroom_example.users')
  const app = await buildExample(t, { databaseUrl: `${databaseUrl}?options=-c%20search_path%3Dpublic` })
  await app.inject({ method: 'PUT', url: '/api/users/7', payload: { name: 'Ada' } })
  t.same(await query(databaseUrl, "SELECT count(*)::int AS changed FROM public.users WHERE name = 'Ada'"), [{ changed: 0 }])
  t.match((await app.inject('/api/users/7')).json(), { name: 'Ada' })
})

t.test('without Redis the memory tier serves', async (t) => {
  const app = await buildExample(t, { databaseUrl: await seededPostgres(t) })
  await app.inject('/api/users/7')
  t.equal((await app.inject('/api/users/7')).headers['x-served-from'], 'cache')
  t.match((await app.inject('/api/health')).json(), { redis: 'none' })
})
