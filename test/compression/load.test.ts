import t from 'tap'
import { Load } from '../../plugins/compression/load.js'

const limits = { lowAbove: 0.8, stopAbove: 0.95 }

function effortAfter (...samples: number[]): string {
  const load = new Load(limits)
  for (const sample of samples) load.sample(sample)
  return load.effort
}

t.test('as the event loop fills compressing becomes cheap, and then stops', async (t) => {
  t.equal(effortAfter(), 'full')
  t.equal(effortAfter(0.5, 0.79, 0.8), 'full')
  t.equal(effortAfter(0.85, 0.9), 'low')
  t.equal(effortAfter(0.96, 1), 'none')
})

t.test('one long request changes nothing', async (t) => {
  t.equal(effortAfter(0.1, 1, 0.1, 1, 0.1), 'full')
  t.equal(effortAfter(1, 1, 0.1, 1), 'none')
})

t.test('it is taken up again when there is room for it, not before', async (t) => {
  t.equal(effortAfter(1, 1, 0.9, 0.9), 'none')
  t.equal(effortAfter(1, 1, 0.84, 0.84), 'low')
  t.equal(effortAfter(0.9, 0.9, 0.75, 0.75), 'low')
  t.equal(effortAfter(0.9, 0.9, 0.69, 0.69), 'full')
  t.equal(effortAfter(1, 1, 0.1, 0.1), 'full')
})

t.test('each change is told, once', async (t) => {
  const changes: string[] = []
  const load = new Load(limits, (effort, before) => { changes.push(`${before} to ${effort}`) })
  for (const sample of [0.9, 0.9, 0.9, 1, 1, 1, 0, 0, 0]) load.sample(sample)
  t.strictSame(changes, ['full to low', 'low to none', 'none to full'])
})
