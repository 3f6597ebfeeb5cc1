import fc from 'fast-check'
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { BranchesRun, type Branches, type BranchesSettings } from '../../plugins/parallel/branches.js'
import { gate } from '../helpers/gate.js'

const settings: BranchesSettings = {
  deadline: undefined, concurrency: Infinity, settle: false, signals: [], run: (_name, work) => work(), lateError: (late) => new Error(`late: ${late.join()}`)
}

async function run (branches: Branches, own: Partial<BranchesSettings> = {}): Promise<Array<[string, unknown]>> {
  const results = await new BranchesRun(branches, { ...settings, ...own }).results()
  return [...results].map(([name, result]) => [name, result.status === 'fulfilled' ? result.value : result.reason])
}

interface Planned {
  takes: number
  fails: boolean
  isSync: boolean
}

/** On a clock of turns of the event loop: who has failed first, and what runs at once. */
async function runPlanned (planned: readonly Planned[], own: Partial<BranchesSettings>): Promise<{ outcome: unknown, begun: number[], most: number, aborted: number[], ended: number[] }> {
  const begun: number[] = []
  const aborted: number[] = []
  const ended: number[] = []
  let running = 0
  let most = 0
  const branches = Object.fromEntries(planned.map(({ takes, fails, isSync }, index) => {
    const result = (): string => {
      running--
      ended.push(index)
      if (fails) throw new Error(`${index}`)
      return `value ${index}`
    }
    return [`b${index}`, (signal: AbortSignal) => {
      begun.push(index)
      most = Math.max(most, ++running)
      signal.addEventListener('abort', () => { if (!ended.includes(index)) aborted.push(index) })
      if (isSync) return result()
      return (async () => {
        for (let count = 0; count <= takes; count++) await turn()
        return result()
      })()
    }]
  }))
  const outcome = await run(branches, own).catch((error: unknown) => error)
  return { outcome, begun, most, aborted, ended }
}

t.test('whatever takes how long: results by name in order, the first failure, no more at once than asked, and who runs is told', async () => {
  const planned = fc.array(fc.record({ takes: fc.nat(4), fails: fc.boolean(), isSync: fc.boolean() }), { maxLength: 8 })
  await fc.assert(fc.asyncProperty(planned, fc.integer({ min: 1, max: 9 }), fc.boolean(), async (planned, concurrency, settle) => {
    const { outcome, begun, most, aborted, ended } = await runPlanned(planned, { concurrency, settle })
    assert(most <= concurrency)
    assert.deepEqual(begun, [...begun].sort((a, b) => a - b))
    const failed = ended.filter((index) => planned[index]!.fails)
    if (settle || failed.length === 0) {
      assert.equal(begun.length, planned.length)
      assert.deepEqual(aborted, [])
      assert.deepEqual(outcome, planned.map(({ fails }, index) => [`b${index}`, fails ? new Error(`${index}`) : `value ${index}`]))
    } else {
      assert.deepEqual(outcome, new Error(`${failed[0]}`))
      assert.deepEqual(aborted.filter((index) => ended.includes(index)), [], 'who has ended is not told')
      assert.deepEqual([...aborted].sort((a, b) => a - b), begun.filter((index) => !ended.includes(index)))
    }
  }), { numRuns: 300 })
})

t.test('one that fails aborts the others by its error, and those that wait never begin', async (t) => {
  const failing = gate()
  const reasons: unknown[] = []
  const failure = new Error('its own')
  let begun = 0
  const results = run({
    endless: (signal) => new Promise(() => { signal.addEventListener('abort', () => { reasons.push(signal.reason) }) }),
    failing: failing.pass,
    waiting: () => { begun++ }
  }, { concurrency: 2 })
  await failing.arrived()
  failing.fail(failure)
  await t.rejects(results, failure)
  t.strictSame([reasons, begun], [[failure], 0])
})

t.test('a deadline ends all that are late, begun or not, and names them; what is there stays where all may settle', async (t) => {
  const reasons: unknown[] = []
  const branches: Branches = {
    there: () => 1,
    endless: (signal) => new Promise(() => { signal.addEventListener('abort', () => { reasons.push(signal.reason) }) }),
    waiting: () => 2
  }
  // Of those two one waits for the endless one.
  await t.rejects(run({ endless: branches.endless!, waiting: branches.waiting! }, { deadline: 20, concurrency: 1 }), { message: 'late: endless,waiting' })
  const late = new Error('late: endless')
  t.strictSame(await run(branches, { deadline: 20, settle: true }), [['there', 1], ['endless', late], ['waiting', 2]])
  t.strictSame(reasons, [new Error('late: endless,waiting'), late])
})

t.test('what has come while the event loop stood still is not late', async (t) => {
  const results = run({ quick: async () => { await turn(); return 1 }, blocking: () => { const end = performance.now() + 60; while (performance.now() < end); } }, { deadline: 20 })
  t.strictSame(await results, [['quick', 1], ['blocking', undefined]])
})

t.test('a signal of who waits ends all, also where it has aborted before, and is not listened to longer', async (t) => {
  const caller = new AbortController()
  const reason = new Error('not needed')
  const never = gate()
  const results = run({ never: never.pass }, { signals: [new AbortController().signal, caller.signal], settle: true })
  await never.arrived()
  caller.abort(reason)
  await t.rejects(results, reason)
  let begun = 0
  await t.rejects(run({ one: () => { begun++ } }, { signals: [caller.signal] }), reason)
  t.equal(begun, 0)
  const { signal } = new AbortController()
  let listeners = 0
  const counted = Object.assign(Object.create(signal) as AbortSignal, {
    throwIfAborted () {}, addEventListener () { listeners++ }, removeEventListener () { listeners-- }
  })
  await run({ one: () => 1 }, { signals: [counted] })
  await t.rejects(run({ one: () => { throw reason } }, { signals: [counted] }), reason)
  t.equal(listeners, 0)
})

t.test('none at all is an empty result', async (t) => {
  t.strictSame(await run({}), [])
})
