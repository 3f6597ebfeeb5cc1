import t from 'tap'
import { OwnCounts } from '../../example-app/own-counts.js'
import { gate } from '../helpers/gate.js'

t.test('counts that begin together read what was written once, and write each value once, in order', async (t) => {
  let reads = 0
  const counts = new OwnCounts(async () => { reads++; return 5 })
  const written: number[] = []
  await Promise.all(Array.from({ length: 3 }, () => counts.add(7, async (value) => { written.push(value) })))
  t.same(written, [6, 7, 8])
  t.equal(reads, 1)
})

t.test('what is being written is not forgotten, however many others are counted meanwhile', async (t) => {
  const stored = new Map<number, number>()
  const counts = new OwnCounts(async (id) => stored.get(id) ?? 0)
  const writing = gate()
  const keep = (id: number) => async (value: number): Promise<void> => {
    if (id === 0) await writing.pass()
    stored.set(id, value)
  }
  const first = counts.add(0, keep(0))
  await writing.arrived()
  for (let id = 1; id <= 20_000; id++) await counts.add(id, keep(id))
  const second = counts.add(0, keep(0))
  await writing.arrived(2)
  writing.open()
  await Promise.all([first, second])
  t.equal(stored.get(0), 2)
  await counts.add(1, keep(1))
  t.equal(stored.get(1), 2, 'one that was forgotten is read again')
})

t.test('where what was written cannot be read nothing is counted, and it is read again', async (t) => {
  let isAway = true
  const counts = new OwnCounts(async () => {
    if (isAway) throw new Error('away')
    return 5
  })
  await t.rejects(counts.add(7, async () => { t.fail('written') }), { message: 'away' })
  isAway = false
  t.equal(await counts.add(7, async (value) => value), 6)
})

t.test('where it is not known now what was written, nothing is counted, and it is read again', async (t) => {
  const written: { last?: number } = {}
  const counts = new OwnCounts(async () => written.last)
  t.equal(await counts.add(7, async () => { t.fail('written') }), undefined)
  written.last = 5
  t.equal(await counts.add(7, async (value) => value), 6)
})
