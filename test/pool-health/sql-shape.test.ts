import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { sqlShape } from '../../plugins/pool-health/sql-shape.js'

const shapes: Array<[sql: string, shape: string]> = [
  ['SELECT * FROM users WHERE id = $1', 'SELECT * FROM users WHERE id = $1'],
  ["SELECT * FROM users WHERE name = 'Ada' AND age > 42", 'SELECT * FROM users WHERE name = ? AND age > ?'],
  ["SELECT 'it''s', E'it\\'s', U&'d\\0061t', B'01', N'x', 'a' 'b'", 'SELECT ?, ?, ?, ?, ?, ? ?'],
  ['SELECT $$secret$$, $tag$a $$ b$tag$, $1', 'SELECT ?, ?, $1'],
  ['SELECT 1, -2.5, .5, 1e10, 1_000, 0xFF, 0b11, t1.c2', 'SELECT ?, -?, ?, ?, ?, ?, ?, t1.c2'],
  ['SELECT "Name 42", U&"d\\0061t" FROM "my""table"', 'SELECT "Name 42", U&"d\\0061t" FROM "my""table"'],
  ['SELECT 1 -- for Ada, 42\n FROM t /* nested /* secret */ still */ WHERE x', 'SELECT ? FROM t WHERE x'],
  ['INSERT INTO t VALUES (1, \'a\'), (2, \'b\'), ($1, $2)', 'INSERT INTO t VALUES (...)'],
  ['SELECT * FROM t WHERE id IN (1, 2, 3)', 'SELECT * FROM t WHERE id IN (...)'],
  ['SELECT  *\n\tFROM   t', 'SELECT * FROM t'],
  ["SELECT 'not closed", 'SELECT ?'],
  ['SELECT $x$ not closed', 'SELECT ?'],
  ['SELECT "not closed', 'SELECT ?'],
  ['SELECT 1 /* not closed', 'SELECT ?'],
  ["SELECT 'ends with a backslash\\' OR pw = 'secret'", 'SELECT ?'],
  ['SELECT $€$ secret $€$, $😀$ secret $😀$, $é$ secret $é$', 'SELECT ?, ?, ?'],
  ["SELECT 'a\\'', 'secret'", 'SELECT ?'],
  ["SELECT N'a\\' secret'", 'SELECT ?'],
  ["SELECT éE'a\\', 'secret'", 'SELECT éE?'],
  ['', '']
]

for (const [sql, shape] of shapes) {
  t.test(`the shape of ${JSON.stringify(sql)}`, async (t) => {
    t.equal(sqlShape(sql), shape)
  })
}

t.test('no value is shown, however it is written and whatever stands beside it', async (t) => {
  const secret = 'Zq9Secret'
  const literal = fc.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 })).chain(([before, after]) => {
    const text = `${before}${secret}${after}`
    return fc.constantFrom(
      `'${text.replaceAll("'", "''")}'`,
      `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
      `$tag$${text.replaceAll('$', '')}$tag$`,
      `-- ${text.replaceAll('\n', '')}\n`,
      `/* ${text.replaceAll('/', '').replaceAll('*', '')} */`
    )
  })
  const part = fc.oneof(literal, fc.constantFrom('SELECT', 'x = ', ', ', '(', ')', '"column"', '$1', '42', ' '))
  fc.assert(fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
    assert.ok(!sqlShape(parts.join(' ')).includes(secret), parts.join(' '))
  }), { numRuns: 1_000 })
  t.pass()
})

t.test('of any text the shape is short, and is found in a time that grows with its length only', async (t) => {
  fc.assert(fc.property(fc.string({ maxLength: 500 }), (text) => { assert.ok(sqlShape(text).length <= 200) }))
  for (const hostile of ["'", '$$', '$a$', '"', '/*', '--', "E'\\", '((', '1e', "''", '$$ $$']) {
    const before = performance.now()
    sqlShape(hostile.repeat(1_000_000 / hostile.length))
    t.ok(performance.now() - before < 200, JSON.stringify(hostile))
  }
})
