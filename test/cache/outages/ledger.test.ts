import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Ledger, moment } from './ledger.js'
import { LoadTimes } from './load-times.js'

t.test('a version is outdated from when the first change after it was acknowledged', (t) => {
  const ledger = new Ledger()
  t.equal(ledger.version(7), 0)
  t.equal(ledger.superseded(7, 0, moment()), undefined)
  const before = moment()
  t.equal(ledger.change(7), 1)
  t.equal(ledger.superseded(7, 0, moment()), undefined, 'not by a change that nobody has acknowledged')
  ledger.acknowledge(7, 1, false)
  const between = moment()
  ledger.acknowledge(7, ledger.change(7), true)
  const after = moment()

  t.equal(ledger.superseded(7, 0, before), undefined, 'nor by one that was acknowledged later than the moment in question')
  const first = ledger.superseded(7, 0, between)!
  t.ok(first.since > before && first.since < between)
  t.equal(first.sharedSince, undefined)
  const second = ledger.superseded(7, 0, after)!
  t.equal(second.since, first.since)
  t.ok(second.sharedSince! > between && second.sharedSince! < after)
  t.equal(ledger.superseded(7, 1, after)!.since, second.sharedSince)
  t.equal(ledger.superseded(7, 2, after), undefined)
  t.equal(ledger.superseded(8, 0, after), undefined, 'other keys are not concerned')
  t.end()
})

t.test('a version that the source never had is an error, and so is one that is too old to tell', (t) => {
  const ledger = new Ledger()
  t.throws(() => ledger.superseded(0, 1, moment()), RangeError)
  for (let change = 0; change < 5_000; change++) ledger.acknowledge(0, ledger.change(0), true)
  t.throws(() => ledger.superseded(0, 1, moment()), RangeError)
  t.equal(ledger.superseded(0, 5_000, moment()), undefined)
  t.end()
})

t.test('all threads have one ledger, and one clock', async (t) => {
  const ledger = new Ledger()
  const before = moment()
  const worker = new Worker(`
    const { parentPort, workerData } = require('node:worker_threads')
    Atomics.add(new Int32Array(workerData, 0, 1), 0, 3)
    parentPort.postMessage(Number(process.hrtime.bigint()) / 1e6)
  `, { eval: true, workerData: ledger.buffer, execArgv: [] })
  const [there] = await once(worker, 'message') as [number]
  t.ok(there > before && there < moment())
  t.equal(ledger.version(0), 3)
})

t.test('the time that loads of a key have run counts those that are under way, and each of those side by side', (t) => {
  const loads = new LoadTimes()
  t.equal(loads.total(3, 1_000), 0)
  loads.begin(3, 1_000)
  t.equal(loads.total(3, 1_005), 5)
  loads.begin(3, 1_010)
  t.equal(loads.total(3, 1_015), 20)
  loads.end(3, 1_020.5)
  t.equal(loads.total(3, 1_030.5), 41)
  loads.end(3, 1_030.5)
  t.equal(loads.total(3, 9_000), 41)
  t.equal(loads.total(4, 9_000), 0)
  t.end()
})
