import t, { type Test } from 'tap'
import { Intake } from '../../plugins/write-behind/intake.js'
import type { Queueing, WriteLog } from '../../plugins/write-behind/write-log.js'
import { gate } from '../helpers/gate.js'

const payload = Buffer.from('value')

/** A log that gives versions from one on, as long as there is room. */
function scene (t: Test, { fullTimeout = 60_000, room = Infinity } = {}) {
  const sent: string[][] = []
  const state = { room, version: 0 }
  const answers = gate()
  answers.open()
  const log = {
    async enqueue (_shard: number, writes: readonly Queueing[]) {
      sent.push(writes.map(({ id }) => id))
      await answers.pass()
      return writes.map(() => state.room-- > 0 ? ++state.version : undefined)
    }
  } as unknown as WriteLog
  const intake = new Intake({ log, shards: 2, fullTimeout, fullError: () => new Error('full') })
  t.teardown(() => {
    answers.open()
    return intake.close(new Error('closed'))
  })
  return { intake, sent, state, answers }
}

t.test('what comes while a script is under way goes together in the next, in the order in which it came', async (t) => {
  const { intake, sent, answers } = scene(t)
  answers.shut()
  const first = intake.enqueue(0, 'first', payload)
  await answers.arrived()
  const later = ['a', 'b', 'a', 'c'].map((id) => intake.enqueue(0, id, payload))
  const other = intake.enqueue(1, 'of another shard', payload)
  answers.open()
  const before = await first
  t.ok((await Promise.all(later)).every((version, index, all) => version > (all[index - 1] ?? before)))
  await other
  t.strictSame(sent.filter((ids) => ids[0] !== 'of another shard'), [['first'], ['a', 'b', 'a', 'c']])
})

t.test('where there is no room they wait, and keep their order', async (t) => {
  const { intake, state } = scene(t, { room: 1 })
  const order: string[] = []
  const writes = ['a', 'b', 'c'].map(async (id) => { await intake.enqueue(0, id, payload); order.push(id) })
  await writes[0]
  state.room = 1
  intake.roomIn(0)
  await writes[1]
  state.room = Infinity
  await Promise.all(writes)
  t.strictSame(order, ['a', 'b', 'c'])
})

t.test('who has waited for room long enough is told that there is none', async (t) => {
  const { intake, state } = scene(t, { room: 0, fullTimeout: 1 })
  await t.rejects(intake.enqueue(0, 'a', payload), { message: 'full' })
  state.room = Infinity
  t.type(await intake.enqueue(0, 'b', payload), 'number')
})

t.test('a script that fails fails those in it, and no others', async (t) => {
  const { intake, answers } = scene(t)
  answers.shut()
  const first = intake.enqueue(0, 'first', payload)
  await answers.arrived()
  const second = intake.enqueue(0, 'second', payload)
  answers.fail(new Error('away'))
  await t.rejects(first, { message: 'away' })
  await t.rejects(second, { message: 'away' })
  answers.open()
  t.type(await intake.enqueue(0, 'third', payload), 'number')
})

t.test('no script has more than two hundred of them, or a megabyte', async (t) => {
  const { intake, sent } = scene(t)
  await Promise.all(Array.from({ length: 500 }, (_, id) => intake.enqueue(0, `${id}`, payload)))
  await Promise.all(Array.from({ length: 4 }, (_, id) => intake.enqueue(0, `${id}`, Buffer.alloc(600_000))))
  t.strictSame(sent.map(({ length }) => length), [200, 200, 100, 1, 1, 1, 1])
})

t.test('who waits when it is closed waits no longer', async (t) => {
  const { intake } = scene(t, { room: 0 })
  const waiting = intake.enqueue(0, 'a', payload)
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  const closed = intake.close(new Error('closed'))
  await t.rejects(waiting, { message: 'closed' })
  await closed
})

t.test('those that find no room hold up no others, however many they are', async (t) => {
  const sent: string[][] = []
  const answers = new Set(['waits'])
  const log = {
    async enqueue (_shard: number, writes: readonly Queueing[]) {
      sent.push(writes.map(({ id }) => id))
      return writes.map(({ id }) => answers.has(id) ? { version: 1, coalesced: true } : undefined)
    }
  } as unknown as WriteLog
  const intake = new Intake({ log, shards: 1, fullTimeout: 60_000, fullError: () => new Error('full') })
  const full = Promise.allSettled(Array.from({ length: 500 }, (_, id) => intake.enqueue(0, `${id}`, payload)))
  t.match(await intake.enqueue(0, 'waits', payload), { version: 1 })
  await intake.close(new Error('closed'))
  t.equal((await full).length, 500)
})
