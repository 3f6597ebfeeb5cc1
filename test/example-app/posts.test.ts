import t from 'tap'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { buildExample, seededPostgres, USERS } from '../helpers/example-app.js'
import { query } from '../helpers/postgres.js'

t.test('posts', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const app = await buildExample(t, { databaseUrl })
  const get = (url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> => app.inject({ url, headers })
  const put = (id: number, payload: object, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> =>
    app.inject({ method: 'PUT', url: `/api/posts/${id}`, payload, headers })
  const tagOf = async (id: number, coding = 'identity'): Promise<string> => String((await get(`/api/posts/${id}`, { 'accept-encoding': coding })).headers.etag)

  t.test('a client that has the post gets 304 from its version alone: the post is not read', async (t) => {
    const tag = await tagOf(7)
    const texts = queries(t, app)
    const fresh = await get('/api/posts/7', { 'if-none-match': tag })
    t.match(fresh, { statusCode: 304, body: '', headers: { etag: tag, 'cache-control': 'public, no-cache' } })
    t.same(texts, ['SELECT updated_at FROM headroom_example.posts WHERE id = $1'])
  })

  t.test('a client that has nothing costs one query, and one that has an older one two', async (t) => {
    const READ = 'SELECT id, user_id, title, body, updated_at FROM headroom_example.posts WHERE id = $1'
    const texts = queries(t, app)
    t.equal((await get('/api/posts/7')).statusCode, 200)
    t.same(texts.splice(0), [READ])
    t.equal((await get('/api/posts/7', { 'if-none-match': '"older"' })).statusCode, 200)
    t.same(texts, ['SELECT updated_at FROM headroom_example.posts WHERE id = $1', READ])
  })

  t.test('by its content it is read each time, and a client that has it still gets 304', async (t) => {
    const { headers: { etag } } = await get('/api/posts-by-content/7')
    const texts = queries(t, app)
    t.match(await get('/api/posts-by-content/7', { 'if-none-match': String(etag) }), { statusCode: 304, body: '' })
    t.match(texts, [/title, body/])
  })

  t.test('the tag of a version has its microseconds', async (t) => {
    await query(databaseUrl, "UPDATE headroom_example.posts SET updated_at = '2026-01-02 03:04:05.678901+00' WHERE id = 8")
    const first = await tagOf(8)
    await query(databaseUrl, "UPDATE headroom_example.posts SET title = 'Other', updated_at = '2026-01-02 03:04:05.678902+00' WHERE id = 8")
    t.equal(first, '"2026-01-02T03:04:05.678901Z"')
    t.match(await get('/api/posts/8', { 'if-none-match': first }), { statusCode: 200, headers: { etag: '"2026-01-02T03:04:05.678902Z"' } })
  })

  t.test('a change leaves the other field alone, and ends what clients have', async (t) => {
    const tag = await tagOf(9)
    const before = (await get('/api/posts/9')).json()
    const changed = await put(9, { title: 'Mine' })
    const after = (await get('/api/posts/9', { 'if-none-match': tag })).json()
    t.same(after, { ...before, title: 'Mine', updated_at: after.updated_at })
    t.same(changed.json(), after)
  })

  t.test('who has read the post may change it, in whichever coding it came; who has read an older one may not', async (t) => {
    await put(10, { body: 'lorem ipsum '.repeat(200) })
    for (const coding of ['identity', 'gzip', 'br']) {
      const tag = await tagOf(10, coding)
      t.match(await put(10, { title: coding }, { 'if-match': tag }), { statusCode: 200 })
      t.match(await put(10, { title: 'Again' }, { 'if-match': tag }), { statusCode: 412 })
      t.match((await get('/api/posts/10')).json(), { title: coding })
    }
  })

  t.test('a change that comes between the check and the write is not overwritten', async (t) => {
    const tag = await tagOf(11)
    const { pool } = app.pg
    const own = pool.query
    t.teardown(() => { Object.assign(pool, { query: own }) })
    Object.assign(pool, {
      async query (this: unknown, ...args: [{ text: string }]) {
        if (args[0].text.includes('UPDATE')) await query(databaseUrl, "UPDATE headroom_example.posts SET title = 'Theirs', updated_at = clock_timestamp() WHERE id = 11")
        return await Reflect.apply(own, pool, args)
      }
    })
    t.match(await put(11, { title: 'Mine' }, { 'if-match': tag }), { statusCode: 412 })
    t.match((await get('/api/posts/11')).json(), { title: 'Theirs' })
  })

  t.test('each change has a later date than the one before, also when the clock is set back', async (t) => {
    await query(databaseUrl, "UPDATE headroom_example.posts SET updated_at = '2999-01-01T00:00:00Z' WHERE id = 12")
    await put(12, { title: 'One' })
    t.equal(await tagOf(12), '"2999-01-01T00:00:00.000001Z"')
    await put(12, { title: 'Two' })
    t.equal(await tagOf(12), '"2999-01-01T00:00:00.000002Z"')
  })

  t.test('a post that is not there is 404, with a condition on what it was 412, and nobody keeps either', async (t) => {
    const missing = 3 * USERS + 1
    for (const [response, status] of [
      [await get(`/api/posts/${missing}`), 404], [await get(`/api/posts/${missing}`, { 'if-none-match': '"some"' }), 404],
      [await get(`/api/posts-by-content/${missing}`), 404],
      [await put(missing, { title: 'Mine' }), 404], [await put(missing, { title: 'Mine' }, { 'if-none-match': '*' }), 404],
      [await put(missing, { title: 'Mine' }, { 'if-match': '"some"' }), 412], [await put(missing, { title: 'Mine' }, { 'if-match': '*' }), 412]
    ] as const) {
      t.equal(response.statusCode, status)
      if (response.raw.req.method === 'GET') t.equal(response.headers['cache-control'], 'no-store')
      t.notOk(response.headers.etag)
    }
  })

  t.test('a request that makes no sense is answered 400 and changes nothing', async (t) => {
    const tag = await tagOf(13)
    for (const request of [
      '/api/posts/zero', '/api/posts/0', '/api/posts/2147483648', '/api/posts-by-content/0',
      ...[{}, { titel: 'x' }, { title: '' }, { title: 'a\0b' }, { title: 'x'.repeat(201) }, { updated_at: '2026-01-01' }]
        .map((payload): InjectOptions => ({ method: 'PUT', url: '/api/posts/13', payload }))
    ]) {
      t.equal((await app.inject(request)).statusCode, 400, JSON.stringify(request))
    }
    t.equal(await tagOf(13), tag)
  })
})

/** The texts of the pool's queries from now on. */
function queries (t: Test, app: FastifyInstance): string[] {
  const texts: string[] = []
  const { pool } = app.pg
  const own = pool.query
  t.teardown(() => { Object.assign(pool, { query: own }) })
  Object.assign(pool, {
    query (...args: [{ text: string }]) {
      texts.push(args[0].text)
      return Reflect.apply(own, pool, args)
    }
  })
  return texts
}
