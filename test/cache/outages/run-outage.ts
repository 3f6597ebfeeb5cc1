import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Test } from 'tap'
import { isSoak, spans } from '../../helpers/soak.js'
import { freshPrefix } from '../build-app.js'
import type { Data, Order, Said } from '../fixtures/outage-clients.js'
import type { Connection } from './connection.js'
import { Ledger, moment } from './ledger.js'
import { LoadTimes } from './load-times.js'
import { OPENING, PHASES, verdictOn, type Spread, type Verdict, type Worst } from './verdict.js'

export interface Outage {
  /** How the first and the second process reach Redis. */
  readonly connections: readonly [Connection, Connection]
  /** Makes the fault, and resolves when Redis is there again. */
  readonly strike: () => Promise<void>
  /** Milliseconds after that for which another process may still give out what was outdated meanwhile. Default: a second. */
  readonly told?: number
  /** Whether the tags are invalidated, once to five times each, as soon as Redis is there again, and once more later. */
  readonly invalidates?: boolean
  /** Whether nothing of Redis answers during the fault, so that it is known to be away. Default: it does, in part or at times. */
  readonly isComplete?: boolean
}

/** Milliseconds of the plugin's own default. */
const COMMAND_TIMEOUT = 100

/** Milliseconds in which another process has heard of a change, while Redis is well. */
const HEARD = 50

/** Milliseconds that a call may take from a process whose Redis is known to be away. */
const AT_ONCE = 2

/** Milliseconds that a machine may take from a call, if other tests run on it too. */
const SLACK = isSoak ? 5 : 250

/** Two hundred clients in two processes read and change while Redis fails: none of them may notice, and nothing be outdated for longer than is promised. */
export async function runOutage (t: Test, { connections, strike, told = 1_000, invalidates = false, isComplete = false }: Outage): Promise<void> {
  const [ledger, loads] = [new Ledger(), new LoadTimes()]
  const prefix = freshPrefix('outage')
  const processes = connections.map((connection, parity) => {
    const workerData: Data = { connection, prefix, parity, ledger: ledger.buffer, loads: loads.buffer }
    const worker = new Worker(new URL('../fixtures/outage-clients.ts', import.meta.url), { workerData })
    t.teardown(() => worker.terminate())
    return worker
  })
  const tell = (order: Order): void => { for (const process of processes) process.postMessage(order) }
  await Promise.all(processes.map((process) => said(process, 'ready')))

  tell({ kind: 'start' })
  // Whatever is loaded for the first time, values and code.
  await delay(spans.before / 2)
  tell({ kind: 'phase', name: 'before' })
  await delay(spans.before)
  const opened = setTimeout(() => { tell({ kind: 'phase', name: 'open' }) }, OPENING)
  tell({ kind: 'phase', name: 'opening' })
  const struck = moment()
  await strike()
  const back = moment()
  clearTimeout(opened)
  tell({ kind: 'phase', name: 'after' })
  for (const share of [0.5, 0.5]) {
    if (invalidates) tell({ kind: 'invalidate' })
    await delay(spans.after * share)
  }
  const found = processes.map((process) => said(process, 'findings'))
  tell({ kind: 'stop' })
  const findings = (await Promise.all(found)).map((one) => (one as Extract<Said, { kind: 'findings' }>).findings)

  const verdict = verdictOn(findings, { struck, back })
  report(t, verdict, back - struck)
  t.strictSame(findings.flatMap(({ failures }) => failures).slice(0, 10), [], 'no call failed')
  t.ok(findings.every(({ reads }) => reads.length > 0) && verdict.reads.after.count > 0, 'there was load')
  t.equal(verdict.own.by, 0, 'nobody was given what had been outdated in the same process')
  t.ok(verdict.heard.by <= HEARD, `another process had heard within ${HEARD} ms while Redis was well`)
  t.ok(verdict.told.by <= told, `and within ${told} ms of its being there again`)
  for (const phase of PHASES) {
    const most = COMMAND_TIMEOUT + verdict.loops[phase].max + SLACK
    t.ok(verdict.reads[phase].max <= most, `no read waited longer than for one command, ${phase === 'after' ? 'after the fault' : phase}: ${Math.round(most)} ms with what the machine took`)
  }
  if (isSoak && isComplete) t.ok(verdict.reads.open.p99 <= AT_ONCE + verdict.loops.open.p99, `of a hundred reads ninety-nine took less than ${AT_ONCE} ms longer than their loads when Redis was known to be away`)
}

async function said (process: Worker, kind: Said['kind']): Promise<Said> {
  // One that fails rejects this.
  for (;;) {
    const [said] = await once(process, 'message') as [Said]
    if (said.kind === kind) return said
  }
}

function report (t: Test, { own, heard, told, outdated, reads, changes, loops }: Verdict, away: number): void {
  const ms = (milliseconds: number): string => milliseconds.toFixed(1)
  const three = ({ p50, p99, max }: Omit<Spread, 'count'>): string => [p50, p99, max].map(ms).join(' / ')
  const worst = ({ by, read }: Worst): string => read === undefined ? '0' : `${ms(by)} (${read.call} of key ${read.key}, version ${read.version})`
  t.comment(`Redis was away for ${ms(away)} ms; ${outdated} reads were outdated`)
  t.comment(`outdated, ms: changed here ${worst(own)}; heard ${worst(heard)}; told again ${worst(told)}`)
  for (const phase of PHASES) {
    t.comment(`${phase}: ${reads[phase].count} reads, p50 / p99 / max ${three(reads[phase])} ms longer than their loads; ${changes[phase].count} changes ${three(changes[phase])} ms; event loop late by ${three(loops[phase])} ms`)
  }
}
