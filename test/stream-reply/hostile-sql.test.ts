import assert from 'node:assert'
import t from 'tap'
import { query, usePostgres } from '../helpers/postgres.js'
import { buildApp } from './build-app.js'

/** Each of them would do something, or show what it should not, if it got out of where it stands. */
const HOSTILE = [
  "SELECT 1) t) TO PROGRAM 'touch /tmp/headroom-was-here' --",
  "SELECT 1) AS headroom) TO PROGRAM 'touch /tmp/headroom-was-here' --",
  'SELECT 1) AS t; DELETE FROM victims; --',
  'SELECT 1; DELETE FROM victims',
  'DELETE FROM victims',
  'DELETE FROM victims RETURNING *',
  'WITH gone AS (DELETE FROM victims RETURNING *) SELECT * FROM gone',
  'INSERT INTO victims VALUES (9) RETURNING id',
  'UPDATE victims SET id = 9 RETURNING *',
  'SELECT * INTO taken FROM victims',
  'CREATE TABLE taken AS SELECT 1',
  'TRUNCATE victims',
  'DROP TABLE victims',
  "COPY victims TO PROGRAM 'touch /tmp/headroom-was-here'",
  "COPY (SELECT 1) TO PROGRAM 'touch /tmp/headroom-was-here'",
  "COPY (SELECT 1) TO '/tmp/headroom-was-here'",
  'COPY victims TO STDOUT',
  'COMMIT',
  'ROLLBACK',
  'COMMIT; DELETE FROM victims',
  'BEGIN',
  'SET TRANSACTION READ WRITE',
  'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
  "SELECT set_config('transaction_read_only', 'off', false)) AS headroom) TO STDOUT; DELETE FROM victims --",
  'DO $$ BEGIN DELETE FROM victims; END $$',
  'CALL wipe()',
  'SELECT wiped()',
  'SELECT * FROM victims FOR UPDATE',
  'LOCK TABLE victims',
  'LISTEN victims',
  'DECLARE taken CURSOR WITH HOLD FOR SELECT 1',
  'PREPARE taken AS DELETE FROM victims',
  'EXECUTE taken',
  'FETCH ALL FROM taken',
  'SHOW data_directory',
  'EXPLAIN ANALYZE DELETE FROM victims',
  'VACUUM',
  '',
  '  ',
  ';',
  '-- nothing',
  '/* nothing */',
  '/* open',
  "'",
  'SELECT \'open',
  'SELECT $$open',
  'SELECT "open',
  'SELECT (1',
  'SELECT 1)',
  ') SELECT (1',
  'SELECT 1\0) TO PROGRAM',
  'SELECT 1 FROM nowhere',
  'SELECT $1::int'
]

/** Odd, but one query each. */
const HARMLESS: Array<[sql: string, rows: unknown[]]> = [
  ['SELECT 1 AS one;', [{ one: 1 }]],
  ['SELECT 1 AS one -- ) t) TO STDOUT', [{ one: 1 }]],
  ['SELECT 1 AS one /* ) */ ;; ', [{ one: 1 }]],
  ["SELECT ') TO PROGRAM --' AS text", [{ text: ') TO PROGRAM --' }]],
  ['SELECT $$) t) TO$$ AS text', [{ text: ') t) TO' }]],
  ["SELECT 'a'\n'b' AS text", [{ text: 'ab' }]],
  ['VALUES (1), (2)', [{ column1: 1 }, { column1: 2 }]],
  ['TABLE victims', [{ id: 1 }]],
  ['WITH few AS (SELECT id FROM victims) SELECT * FROM few ORDER BY 1', [{ id: 1 }]],
  ['(SELECT id FROM victims) UNION ALL (SELECT 2) ORDER BY 1 DESC', [{ id: 2 }, { id: 1 }]]
]

t.test('what is not one statement that only reads is refused, has no effect, and leaves nothing behind', async (t) => {
  const { url } = await usePostgres(t)
  await query(url, 'CREATE TABLE victims (id int)')
  await query(url, 'INSERT INTO victims VALUES (1)')
  await query(url, 'CREATE PROCEDURE wipe() LANGUAGE sql AS \'DELETE FROM victims\'')
  await query(url, 'CREATE FUNCTION wiped() RETURNS int LANGUAGE sql AS \'DELETE FROM victims RETURNING id\'')
  const { app, pool } = await buildApp(t, url, (app) => {
    app.post<{ Body: { sql: string, format: 'json', raw: boolean } }>('/', async ({ body: { sql, format } }, reply) => await reply.streamQuery(sql, { format }))
    // By values, each row an object.
    const schema = { response: { 200: { type: 'array', items: { type: 'object', properties: { id: {} } } } } }
    app.post<{ Body: { sql: string, format: 'json' } }>('/schema', { schema }, async ({ body: { sql, format } }, reply) => await reply.streamQuery(sql, { format }))
    app.post<{ Body: { sql: string, format: 'json' } }>('/values', async ({ body: { sql, format } }, reply) => await reply.streamQuery({ text: sql, values: [1] }, { format }))
  })
  for (const sql of HOSTILE) {
    for (const format of ['json', 'ndjson', 'csv']) {
      for (const path of ['/', '/schema', '/values']) {
        if (path === '/values' && sql.includes('$1')) continue
        const { statusCode } = await app.inject({ method: 'POST', url: path, payload: { sql, format } })
        assert.ok(statusCode === 500, `${sql} as ${format} by ${path}: ${statusCode}`)
      }
    }
  }
  const { rows } = await pool.query(`SELECT (SELECT array_agg(id) FROM victims) AS ids, to_regclass('taken') AS taken, current_setting('transaction_read_only') AS reads,
    (SELECT count(*)::int FROM pg_locks WHERE relation = 'victims'::regclass AND pid <> pg_backend_pid()) AS locks`)
  t.strictSame(rows, [{ ids: [1], taken: null, reads: 'off', locks: 0 }])
  t.equal(pool.totalCount, pool.idleCount)

  for (const sql of ['SHOW data_directory', 'EXPLAIN SELECT 1', 'SELECT 1; -- done']) {
    for (const format of ['json', 'csv']) {
      t.match((await app.inject({ method: 'POST', url: '/', payload: { sql, format } })).json(), { code: 'FST_HEADROOM_STREAM_REPLY_STATEMENT', message: /expected one statement that returns rows: it cannot be a part of a query/ }, sql)
    }
  }

  for (const [sql, rows] of HARMLESS) {
    const reply = await app.inject({ method: 'POST', url: '/', payload: { sql, format: 'json' } })
    t.strictSame([reply.statusCode, reply.json()], [200, rows], sql)
  }
})

t.test('what a function sets for its session is gone with the reply', async (t) => {
  const { url } = await usePostgres(t)
  const { app, pool } = await buildApp(t, url, (app) => {
    app.get('/', async (_request, reply) => await reply.streamQuery("SELECT set_config('search_path', 'elsewhere', false), set_config('app.user', 'somebody', false)"))
  }, { max: 1 })
  t.equal((await app.inject('/')).statusCode, 200)
  const { rows } = await pool.query('SELECT current_setting(\'search_path\') AS path, current_setting(\'app.user\', true) AS user, current_setting(\'statement_timeout\') AS timeout')
  t.strictSame(rows, [{ path: '"$user", public', user: '', timeout: '0' }])
})
