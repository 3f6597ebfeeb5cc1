import fc from 'fast-check'
import t from 'tap'
import { query, usePostgres } from '../helpers/postgres.js'
import { buildApp } from './build-app.js'

const FORMATS = ['json', 'ndjson', 'csv'] as const

/** Without values, by COPY where it is CSV, and with one, by a cursor then. */
async function bothWays (t: Parameters<typeof usePostgres>[0]): Promise<(sql: string, format: string) => Promise<[copied: string, fetched: string]>> {
  const { url } = await usePostgres(t)
  const { app } = await buildApp(t, url, (app) => {
    app.post<{ Body: { sql: string, values?: unknown[], format: 'json' } }>('/', async ({ body: { sql, values, format } }, reply) =>
      await reply.streamQuery(values === undefined ? sql : { text: sql, values }, { format, batch: 3 }))
  })
  return async (sql, format) => {
    const copied = await app.inject({ method: 'POST', url: '/', payload: { sql, format } })
    const fetched = await app.inject({ method: 'POST', url: '/', payload: { sql: `SELECT q.* FROM (${sql}) AS q WHERE $1::int = 1`, values: [1], format } })
    if (copied.statusCode !== 200 || fetched.statusCode !== 200) throw new Error(`${copied.body} ${fetched.body}`)
    return [copied.body, fetched.body]
  }
}

const CASES: Record<string, [sql: string, json: unknown]> = {
  bigint: ['SELECT 9007199254740993 AS big, -9223372036854775808 AS least', undefined],
  numeric: ["SELECT 1.10::numeric AS n, 'NaN'::numeric AS nan, 'Infinity'::float8 AS inf, 1e-7::float8 AS tiny, 0.1::float4 AS f4, 123456789012345678901234567890.123::numeric AS long", undefined],
  bytea: ["SELECT '\\x00ff41'::bytea AS bytes, ''::bytea AS none", [{ bytes: '\\x00ff41', none: '\\x' }]],
  timestamptz: ["SELECT '2024-02-29 23:59:59.123456+02'::timestamptz AS at, 'infinity'::timestamptz AS ever, '2024-02-29'::date AS day, '1 day 2 hours'::interval AS span", undefined],
  json: ["SELECT '{\"a\":\n 1, \"b\": \"\\n\\\\\"}'::json AS j, '{\"a\":\t[1,\r\n2]}'::jsonb AS b, ARRAY['{\"a\":\n1}'::json] AS many", [{ j: { a: 1, b: '\n\\' }, b: { a: [1, 2] }, many: [{ a: 1 }] }]],
  arrays: ["SELECT ARRAY[1,NULL,3] AS numbers, ARRAY['a,b','\"','\\\\',E'\\n',NULL,''] AS texts, ARRAY[[1,2],[3,4]] AS nested", [{ numbers: [1, null, 3], texts: ['a,b', '"', '\\\\', '\n', null, ''], nested: [[1, 2], [3, 4]] }]],
  nulls: ["SELECT NULL AS nothing, NULL::int AS number, '' AS empty", [{ nothing: null, number: null, empty: '' }]],
  names: ['SELECT 1 AS a, 2 AS a, 3 AS "a b", 4 AS "q""uote", 5 AS headroom, 6 AS headroom_, 7 AS "?column?"', [{ a: 2, 'a b': 3, 'q"uote': 4, headroom: 5, headroom_: 6, '?column?': 7 }]],
  texts: ["SELECT E'a\\tb\\nc\\r\\nd' AS lines, 'C:\\new' AS path, 'say \"hi\", you' AS said, '\\.' AS dot, E'\\x01\\x02' AS control, '🎈é' AS wide", [{ lines: 'a\tb\nc\r\nd', path: 'C:\\new', said: 'say "hi", you', dot: '\\.', control: '\u0001\u0002', wide: '🎈é' }]],
  'one column': ["SELECT '\\.' AS a UNION ALL SELECT '' UNION ALL SELECT NULL UNION ALL SELECT '\"'", [{ a: '\\.' }, { a: '' }, { a: null }, { a: '"' }]],
  'no column': ['SELECT FROM generate_series(1, 2)', [{}, {}]],
  rows: ["SELECT ROW(1, 'a') AS record, int4range(1, 5) AS range, true AS yes, '{}'::int[] AS none, point(1,2) AS p", undefined]
}

t.test('both ways in which the database makes the text give the same bytes', async (t) => {
  const send = await bothWays(t)
  for (const [name, [sql, json]] of Object.entries(CASES)) {
    for (const format of FORMATS) {
      const [copied, fetched] = await send(sql, format)
      t.equal(copied, fetched, `${name} as ${format}`)
      if (format === 'json' && json !== undefined) t.strictSame(JSON.parse(copied), json, name)
      if (format === 'ndjson') t.doesNotThrow(() => copied.split('\n').slice(0, -1).map((line) => JSON.parse(line) as unknown), name)
    }
  }
})

const TYPES: Record<string, fc.Arbitrary<unknown>> = {
  text: fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  float8: fc.double().map(String),
  numeric: fc.oneof(fc.bigInt().map(String), fc.constant('NaN')),
  bytea: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  bool: fc.boolean(),
  timestamptz: fc.date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true }).map((date) => date.toISOString()),
  json: fc.json(),
  jsonb: fc.json().map((text) => text.replaceAll('\\u0000', '')),
  'text[]': fc.array(fc.option(fc.string().map((text) => text.replaceAll('\0', ''))))
}

t.test('random rows of all common types: both ways give the same bytes, and JSON that parses to what Postgres has', async (t) => {
  const { url } = await usePostgres(t)
  await query(url, `CREATE TABLE things (${Object.keys(TYPES).map((type, index) => `c${index} ${type}`).join(', ')})`)
  const { app, pool } = await buildApp(t, url, (app) => {
    for (const format of FORMATS) {
      app.get(`/copy/${format}`, async (_request, reply) => await reply.streamQuery('TABLE things', { format }))
      app.get(`/cursor/${format}`, async (_request, reply) => await reply.streamQuery({ text: 'SELECT * FROM things WHERE $1::int = 1', values: [1] }, { format, batch: 2 }))
    }
  })
  const values = fc.tuple(...Object.values(TYPES).map((type) => fc.option(type)))
  await fc.assert(fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 6 }), async (rows) => {
    await pool.query('DELETE FROM things')
    for (const row of rows) await pool.query(`INSERT INTO things VALUES (${row.map((_value, index) => `$${index + 1}`).join(', ')})`, row)
    for (const format of FORMATS) {
      const copied = (await app.inject(`/copy/${format}`)).body
      if (copied !== (await app.inject(`/cursor/${format}`)).body) return false
      if (format === 'ndjson') {
        const { rows: made } = await pool.query<{ line: string }>("SELECT translate(row_to_json(things)::text, E'\\r\\n', '  ') AS line FROM things")
        if (copied !== made.map(({ line }) => `${line}\n`).join('')) return false
      }
      if (format !== 'json') continue
      const { rows: [held] } = await pool.query<{ same: boolean }>('SELECT $1::jsonb = coalesce((SELECT jsonb_agg(to_jsonb(things)) FROM things), \'[]\') AS same', [copied])
      if (held?.same !== true) return false
    }
    return true
  }), { numRuns: 60 })
})
