import t from 'tap'
import { figures, table } from '../../bench/table.js'

t.test('figures stand to the right, words to the left', (t) => {
  t.equal(table(['', 'requests/s', 'where'], [['off', '41.1k', 'a.ts:1'], ['on and on', '7', 'long/b.ts:12']]), [
    '           requests/s  where',
    '---------  ----------  ------------',
    'off             41.1k  a.ts:1',
    'on and on           7  long/b.ts:12'
  ].join('\n'))
  t.end()
})

t.test('three figures say enough, at any size', (t) => {
  const shown = { 0: '0.00', 0.00421: '0.0042', 0.5: '0.50', 9.994: '9.99', 12.34: '12.3', 99.97: '100', 1234: '1234', 9_996: '10.0k', 41_120: '41.1k', 999_600: '1.00M', 18_720_000: '18.7M' }
  for (const [value, text] of Object.entries(shown)) t.equal(figures(Number(value)), text)
  t.end()
})
