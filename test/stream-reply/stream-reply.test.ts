import t from 'tap'
import { usePostgres } from '../helpers/postgres.js'
import { buildApp } from './build-app.js'

const ROWS = 'SELECT i AS id, \'name \' || i AS name, i % 2 = 0 AS even FROM generate_series(1, 3) AS i'

t.test('rows come as JSON, as JSON in lines and as CSV, as the client asks', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/all', async (_request, reply) => await reply.streamQuery(ROWS))
    app.get('/some', async (_request, reply) => await reply.streamQuery({ text: `${ROWS} WHERE i < $1`, values: [3] }))
    app.get('/none', async (_request, reply) => await reply.streamQuery({ text: `${ROWS} WHERE i < $1`, values: [0] }))
  })
  const all = [{ id: 1, name: 'name 1', even: false }, { id: 2, name: 'name 2', even: true }, { id: 3, name: 'name 3', even: false }]
  for (const [path, rows] of [['/all', all], ['/some', all.slice(0, 2)], ['/none', []]] as const) {
    const json = await app.inject(path)
    t.match(json, { statusCode: 200, headers: { 'content-type': 'application/json; charset=utf-8', vary: 'Accept' } })
    t.strictSame(json.json(), rows)
    const lines = await app.inject({ url: path, headers: { accept: 'application/x-ndjson' } })
    t.strictSame(lines.body.split('\n').filter(Boolean).map((line) => JSON.parse(line) as unknown), rows)
    const csv = await app.inject({ url: path, headers: { accept: 'text/csv' } })
    t.equal(csv.body, ['id,name,even', ...rows.map(({ id, name, even }) => `${id},${name},${even ? 't' : 'f'}`), ''].join('\r\n'))
  }
  t.match(app.streamReply.stats(), { running: 0, complete: 9, paths: { json: 6, copy: 1, cursor: 2 } })
  t.match(pool, { idleCount: 1, totalCount: 1 })
})
