import t, { type Test } from 'tap'
import pg from 'pg'
import { seed } from '../../example-app/seed.js'
import { query, usePostgres } from '../helpers/postgres.js'

async function connect (t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

t.test('two starts at once make the data once, three posts and five friendships a user', async (t) => {
  const { url } = await usePostgres(t)
  const [one, two] = await Promise.all([connect(t, url), connect(t, url)])
  const lines: string[] = []
  const made = await Promise.all([one, two].map((client) => seed(client, 20_000, (line) => lines.push(line))))
  t.same(made.sort(), [false, true])
  t.same(lines, ['Making 20,000 users, 60,000 posts and 100,000 friendships…'])
  const [counts] = await query(url, `SELECT
    (SELECT count(*)::int FROM headroom_example.users) AS users,
    (SELECT count(*)::int FROM headroom_example.posts) AS posts,
    (SELECT count(*)::int FROM headroom_example.friendships) AS friendships`)
  t.same(counts, { users: 20_000, posts: 60_000, friendships: 100_000 })
})

t.test('data that could not be made whole are not there at all', async (t) => {
  const { url } = await usePostgres(t)
  const client = await connect(t, url)
  await client.query("SET statement_timeout = '50ms'")
  await t.rejects(seed(client, 1_000_000, () => {}), /statement timeout/)
  t.same(await query(url, "SELECT to_regclass('headroom_example.users') AS users"), [{ users: null }])
})

t.test('a database of an earlier version gets what is new, and keeps its data', async (t) => {
  const { url } = await usePostgres(t)
  const client = await connect(t, url)
  await seed(client, 10, () => {})
  await client.query(`
    DROP TABLE headroom_example.views;
    ALTER TABLE headroom_example.users DROP headline, DROP location, DROP profile_version;
    UPDATE headroom_example.users SET name = 'Kept' WHERE id = 7`)
  t.equal(await seed(client, 10, () => { t.fail('made anew') }), true)
  t.same(await query(url, 'SELECT name, headline, location, profile_version FROM headroom_example.users WHERE id = 7'), [{ name: 'Kept', headline: '', location: '', profile_version: '0' }])
  t.same(await query(url, 'SELECT count(*)::int FROM headroom_example.views'), [{ count: 0 }])
  t.equal(await seed(client, 10, () => {}), false)
})
