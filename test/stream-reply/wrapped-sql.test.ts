import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { copyCsv, jsonOf, rowsOf, withoutSemicolon } from '../../plugins/stream-reply/wrapped-sql.js'

const INT4 = 23
const JSON_TYPE = 114
const columnsOf = (...names: string[]): Array<{ name: string, type: number }> => names.map((name) => ({ name, type: INT4 }))

t.test('a statement stands on lines of its own, so that a comment at its end ends there', async (t) => {
  t.equal(rowsOf('SELECT 1 AS a -- one', columnsOf('a')), 'SELECT headroom.* FROM (\nSELECT 1 AS a -- one\n) AS headroom')
  t.equal(jsonOf('SELECT 1 AS a -- one', columnsOf('a')), 'SELECT row_to_json(headroom) FROM (\nSELECT 1 AS a -- one\n) AS headroom')
  t.equal(copyCsv('SELECT 1'), 'COPY (SELECT 1) TO STDOUT (FORMAT csv)')
})

t.test('a row has a name that no column has, and that the database does not cut', async (t) => {
  const names = ['headroom', ...Array.from({ length: 1_599 }, (_, index) => index % 2 === 0 ? `headroom${index}` : `headroom${'_'.repeat(index % 56)}`)]
  for (let count = 0; count <= names.length; count += 40) {
    const columns = columnsOf(...names.slice(0, count))
    for (const sql of [rowsOf('SELECT 1', columns), jsonOf('SELECT 1', columns)]) {
      const [, row = ''] = / AS (headroom\w*)$/.exec(sql) ?? []
      assert(row !== '' && row.length <= 63 && !columns.some(({ name }) => name === row), `${count} columns`)
      assert(sql.includes(`SELECT ${row}.*`) || sql.includes(`row_to_json(${row})`))
    }
  }
  t.pass('up to 1,600 columns')
})

t.test('of a column whose text may have line breaks between its parts, they are taken out', async (t) => {
  t.notMatch(jsonOf('x', columnsOf('a', 'b')), 'translate')
  t.match(jsonOf('x', [...columnsOf('a'), { name: 'j', type: JSON_TYPE }]), "translate(row_to_json(headroom)::text, E'\\r\\n', '  ')")
  t.match(jsonOf('x', [{ name: 'own', type: 99_999 }]), 'translate', 'of a type that is not known')
})

t.test('a final semicolon is taken off, and nothing that is not at the end', async (t) => {
  for (const [sql, without] of [
    ['SELECT 1', 'SELECT 1'],
    ['SELECT 1;', 'SELECT 1'],
    ['SELECT 1 ; ;\r\n\t;', 'SELECT 1'],
    ["SELECT ';'", "SELECT ';'"],
    ['SELECT 1; SELECT 2;', 'SELECT 1; SELECT 2'],
    ['SELECT 1 /* ; */', 'SELECT 1 /* ; */'],
    [' SELECT $$;$$', ' SELECT $$;$$'],
    [';', ''],
    ['', '']
  ] as const) t.equal(withoutSemicolon(sql), without, JSON.stringify(sql))
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(';', ' ', '\n', 'a', "'", '-') }), (sql) => {
    const without = withoutSemicolon(sql)
    assert(sql.startsWith(without) && !/[\s;]$/.test(without))
    assert.match(sql.slice(without.length), /^[\s;]*$/)
  }))
  const began = performance.now()
  withoutSemicolon(`SELECT${' '.repeat(200_000)}1`)
  t.ok(performance.now() - began < 500, 'in a time that grows with the length')
})
