import { loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { isSoak, spans } from '../../helpers/soak.js'
import type { Clients } from './clients.js'
import type { Lateness } from './findings.js'
import { moment } from './ledger.js'
import { OPENING, PHASES, verdictOn, type Fault, type Phase, type Verdict, type Worst } from './verdict.js'

export interface Outage {
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

/** Milliseconds that a machine may take from a call beside what it takes from an event loop, if other tests run on it too. */
const SLACK = isSoak ? 5 : 500

/** Milliseconds in which a call ends whatever becomes of a Redis that answers in part, or at times. */
const BOUNDED = 3_000

/** While the clients read and change, Redis fails: none of them may notice, and nothing be outdated for longer than is promised. */
export async function runOutage (t: Test, clients: Clients, { strike, told = 1_000, invalidates = false, isComplete = false }: Outage): Promise<void> {
  const enter = (name: Phase): void => { clients.tell({ kind: 'phase', name }) }
  enter('before')
  await delay(spans.before)
  const opened = setTimeout(() => { enter('open') }, OPENING)
  enter('opening')
  const struck = moment()
  await strike()
  const there = moment()
  await clients.connected()
  const back = moment()
  t.comment(`the clients were connected again ${Math.round(back - there)} ms after Redis was there`)
  clearTimeout(opened)
  enter('after')
  for (const share of [0.5, 0.5]) {
    if (invalidates) clients.tell({ kind: 'invalidate' })
    await delay(spans.after * share)
  }
  const findings = await clients.findings()
  const verdict = verdictOn(findings, { struck, back })
  report(t, verdict, { struck, back })
  t.strictSame(findings.flatMap(({ failures }) => failures).slice(0, 10), [], 'no call failed')
  t.ok(findings.every(({ reads }) => reads.length > 0) && verdict.reads.after.count > 0, 'there was load')
  t.equal(verdict.own.read, undefined, 'nobody was given what had been outdated in the same process')
  // Alone on its machine a process is held up only by itself, and that is told apart for each read.
  const heldUp = isSoak ? 0 : Math.max(verdict.loops.before.max, verdict.loops.after.max)
  t.ok(verdict.heard.by <= HEARD + heldUp, `another process had heard within ${HEARD} ms while Redis was well, and the ${Math.round(heldUp)} that the machine took`)
  t.ok(verdict.told.by <= told + heldUp, `and within ${told} ms of its being there again, and those`)
  for (const phase of ['opening', 'open'] as const) {
    const most = (isComplete ? COMMAND_TIMEOUT : BOUNDED) + verdict.loops[phase].max + SLACK
    t.ok(verdict.reads[phase].max <= most, `no read waited longer than ${isComplete ? 'for one command' : 'a call may'}: ${Math.round(most)} ms with what the machine took`)
  }
  if (isSoak && isComplete) {
    t.ok(verdict.reads.open.p99 <= AT_ONCE + verdict.loops.open.p99, `of a hundred reads ninety-nine took less than ${AT_ONCE} ms longer than their loads when Redis was known to be away`)
  }
}

function report (t: Test, { own, heard, told, outdated, reads, changes, loops }: Verdict, { struck, back }: Fault): void {
  const ms = (milliseconds: number): string => milliseconds.toFixed(1)
  const three = ({ p50, p99, max }: Lateness): string => [p50, p99, max].map(ms).join(' / ')
  const worst = ({ by, read }: Worst): string => read === undefined
    ? '0'
    : `${ms(by)} (${read.call} of key ${read.key} had version ${read.version} at ${ms(read.at - struck)}, ` +
      `outdated at ${ms(read.since - struck)}${read.sharedSince === undefined ? '' : `, shared at ${ms(read.sharedSince - struck)}`}, event loop late by ${ms(read.late)})`
  t.comment(`Redis was away for ${ms(back - struck)} ms; ${outdated} reads were outdated; the machine had a load of ${ms(loadavg()[0]!)}`)
  t.comment(`outdated, ms: of what was changed here ${worst(own)}; of what was to be heard ${worst(heard)}; of what was to be told again ${worst(told)}`)
  for (const phase of PHASES) {
    const [read, change] = [reads[phase], changes[phase]]
    t.comment(`${phase}, p50 / p99 / max: ${read.count} reads ${three(read)} ms longer than their loads (${read.slowest}); ` +
      `${change.count} changes ${three(change)} ms (${change.slowest}); event loop late by ${three(loops[phase])} ms`)
  }
}
