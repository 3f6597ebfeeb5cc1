import t from 'tap'
import type { TimeBounds } from '../../plugins/shared/redis-clock.js'
import { DirectSaves } from '../../plugins/write-behind/direct-saves.js'
import { payloadOf } from '../../plugins/write-behind/record.js'
import { Saver } from '../../plugins/write-behind/saver.js'
import { gate } from '../helpers/gate.js'

function scene ({ bounds, now = 0, highest = 0, save = () => {} }: { bounds?: TimeBounds, now?: number, highest?: number, save?: () => unknown }) {
  const state = { highest }
  const versions: number[] = []
  const direct = new DirectSaves({
    saver: new Saver({ save: async (_id, _value, { version }) => { versions.push(version); await save() }, saveMany: undefined, saveTimeout: 10_000, isOutage: () => false }),
    timeOf: () => bounds,
    now: () => now,
    highest: () => state.highest,
    see: (version) => { state.highest = Math.max(state.highest, version) }
  })
  const write = { id: 'id', payload: payloadOf('id', 'value') as Buffer }
  return { direct, write, state, versions }
}

t.test('the version is the latest that it can be on Redis\' clock, and is acknowledged when that has passed', async (t) => {
  const { direct, write, state, versions } = scene({ bounds: { earliest: 1_000, latest: 1_060 } })
  const began = performance.now()
  const saved = direct.save(write)
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  t.strictSame(versions, [1_060_000])
  t.equal(state.highest, 0, 'till then no other write is told that it is newer')
  t.equal(await saved, 1_060_000)
  t.ok(performance.now() - began >= 59)
  t.equal(state.highest, 1_060_000)
})

t.test('it is higher than any that is known of', async (t) => {
  const { direct, write } = scene({ bounds: { earliest: 1_000, latest: 1_001 }, highest: 5_000_000 })
  t.equal(await direct.save(write), 5_000_001)
})

t.test('where Redis\' clock is not known, or not well any more, the wall clock is believed to be within 250 ms', async (t) => {
  for (const bounds of [undefined, { earliest: 0, latest: 86_000 }]) {
    const { direct, write } = scene({ now: 10_000, ...bounds && { bounds } })
    const began = performance.now()
    t.equal(await direct.save(write), 10_250_000)
    t.ok(performance.now() - began >= 499 && performance.now() - began < 2_000)
  }
})

t.test('a close ends what is under way, and what has been saved is acknowledged', async (t) => {
  const saves = gate()
  const waiting = scene({ bounds: { earliest: 0, latest: 400 } })
  const saved = waiting.direct.save(waiting.write)
  const hanging = scene({ save: saves.pass })
  const hangs = hanging.direct.save(hanging.write)
  await saves.arrived()
  await new Promise((resolve) => { setTimeout(resolve, 5) })
  for (const { direct } of [waiting, hanging]) direct.close(new Error('the app closes'))
  t.equal(await saved, 400_000)
  await t.rejects(hangs, { message: 'the app closes' })
  saves.open()
})
