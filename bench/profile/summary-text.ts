import { table } from '../table.js'
import type { Whose } from './place.js'
import type { EventLoop } from './sampler.js'
import type { Summary } from './self-time.js'

const TOP = 20

/** The most functions of one's own code that are listed below those of everybody. */
const TOP_OWN = 10

const OWN: readonly Whose[] = ['example', 'headroom']

const NAMES: Record<Whose, string> = {
  headroom: 'Headroom', example: 'the example app', services: 'services', dependency: 'npm packages', node: 'Node', v8: 'V8', other: 'other'
}

/** What took the CPU: by owner, by function, and by function of one's own code, which seldom makes it to the top. */
export function summaryText ({ total, idle, functions, whose }: Summary, { utilization, delayP99 }: EventLoop): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)}%`
  const lines = (listed: Summary['functions']): string => table(
    ['function', 'self', 'ms', 'where'],
    listed.map(({ name, self, share, where }) => [name, percent(share), (self / 1_000).toFixed(1), where]))
  return [
    `CPU busy ${percent(1 - idle / total)}, event loop busy ${percent(utilization)}, late by ${delayP99.toFixed(1)} ms in the worst hundredth`,
    whose.map(({ whose, share }) => `${NAMES[whose]} ${percent(share)}`).join(', '),
    `\nTop functions by self time, of the time that was not idle\n\n${lines(functions.slice(0, TOP))}`,
    `\nThe same for the example app and Headroom alone\n\n${lines(functions.filter(({ whose }) => OWN.includes(whose)).slice(0, TOP_OWN))}`
  ].join('\n')
}
