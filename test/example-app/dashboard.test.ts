import t from 'tap'
import { buildExample, seededPostgres } from '../helpers/example-app.js'

t.test('a dashboard takes as long as its slowest query, and one after the other as long as all', async (t) => {
  const app = await buildExample(t, { databaseUrl: await seededPostgres(t) })
  const timed = async (url: string): Promise<{ body: unknown, took: number }> => {
    const start = performance.now()
    const reply = await app.inject(url)
    t.equal(reply.statusCode, 200)
    return { body: reply.json(), took: performance.now() - start }
  }
  // The connections that they need are opened.
  await timed('/api/dashboard/7')
  const [together, sequential] = [await timed('/api/dashboard/7'), await timed('/api/dashboard/7?sequential=1')]
  t.match(together.body, { user: { id: 7 }, posts: [{ title: String }], friends: [{ name: String }] })
  t.strictSame(together.body, sequential.body)
  t.ok(sequential.took >= 189, `${sequential.took} ms`)
  t.ok(together.took >= 79 && together.took < sequential.took - 50, `${together.took} ms`)
  t.equal((await app.inject('/api/dashboard/2147483647')).statusCode, 404)
  t.equal((await app.inject('/api/dashboard/7?sequential=no')).statusCode, 400)
})
