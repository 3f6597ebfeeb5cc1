import t from 'tap'
import { buildExample, seededPostgres } from '../helpers/example-app.js'

interface User { id: number, name: string, email: string, bio: string, updated_at: string }

t.test('all users are exported in the format that is asked for, as they are in the database', async (t) => {
  const app = await buildExample(t, { databaseUrl: await seededPostgres(t) })
  const users = (await app.inject('/api/export-in-memory')).json<User[]>()
  t.ok(users.length > 10)
  t.strictSame((await app.inject('/api/export')).json(), users)
  const lines = await app.inject({ url: '/api/export', headers: { accept: 'application/x-ndjson' } })
  t.strictSame(lines.body.split('\n').slice(0, -1).map((line) => JSON.parse(line) as unknown), users)
  const csv = await app.inject('/api/export?format=csv')
  t.match(csv.headers, { 'content-type': 'text/csv; charset=utf-8; header=present', 'content-disposition': 'attachment; filename="users.csv"' })
  t.strictSame(csv.body.split('\r\n').slice(0, 2), ['id,name,email,bio,updated_at', Object.values(users[0]!).map((value) => String(value).includes(',') ? `"${value}"` : value).join(',')])
  t.strictSame((await app.inject('/api/export?from=3&to=5&format=json')).json(), users.slice(2, 5))
  t.equal((await app.inject('/api/export?format=xml')).statusCode, 400)
  t.equal((await app.inject({ url: '/api/export', headers: { accept: 'text/html' } })).statusCode, 406)
  t.match(app.streamReply.stats(), { running: 0, complete: 4, paths: { json: 3, cursor: 1 } })
})
