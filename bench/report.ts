import { availableParallelism, cpus, loadavg } from 'node:os'
import { CONTROL, type Comparison, type Row } from './comparison.js'
import type { Entry } from './entry.js'
import type { Verdict } from './expectations.js'
import { figures, table } from './table.js'

/** What a run of one entry came to. */
export interface Result {
  name: string
  title: string
  kind: Entry['kind']
  comparison: Comparison
  verdicts: Verdict[]
}

/** For people. */
export function report ({ title, kind, comparison, verdicts }: Result): string {
  const { baseline, rows, controlOff } = comparison
  const unit = kind === 'micro' ? 'calls' : 'requests'
  const latency = kind === 'server' ? ['p50 ms', 'p99 ms'] : []
  const head = ['', `${unit}/s`, `of ${baseline}`, 'half of all rounds', kind === 'micro' ? 'CPU ns a call' : 'CPU µs a request', 'CPU ratio', ...latency]
  return [
    title, '',
    table(head, rows.map((row) => cells(row, baseline, kind))), '',
    `The control is off by at most ${(controlOff * 100).toFixed(1)}%.`,
    ...verdicts.map(sentence), ''
  ].join('\n')
}

function cells ({ variant, perSecond, cpu, ratio, latency }: Row, baseline: string, kind: Entry['kind']): string[] {
  return [
    variant === CONTROL ? `control: ${baseline} again` : variant,
    figures(perSecond),
    figures(ratio.perSecond.median),
    `${figures(ratio.perSecond.low)} to ${figures(ratio.perSecond.high)}`,
    figures(kind === 'micro' ? cpu * 1_000 : cpu),
    figures(ratio.cpu.median),
    ...(latency === undefined ? [] : [figures(latency.p50), figures(latency.p99)])
  ]
}

function sentence ({ variant, best, metric, ratio, atLeast, atMost, met }: Verdict): string {
  const wanted = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`])
  ].join(' and ')
  const what = metric === 'cpu' ? ' in CPU time' : ''
  return `${met ? 'met:   ' : 'MISSED:'} ${variant} is ${figures(ratio)} times ${best}${what}, expected ${wanted}`
}

/** What the figures were measured on, without which they mean little. */
export interface Machine {
  node: string
  cpu: string
  cores: number
  /** Of the last minute. */
  load: number
}

export function machine (): Machine {
  return {
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    load: Math.round(loadavg()[0]! * 100) / 100
  }
}
