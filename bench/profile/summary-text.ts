import { table } from '../table.js'
import { isOwn, type Whose } from './place.js'
import type { Busy } from './sampler.js'
import type { Summary } from './self-time.js'

const TOP = 20

/** The most functions of one's own code that are listed below those of everybody. */
const TOP_OWN = 10

const NAMES: Record<Whose, string> = {
  headroom: 'Headroom', example: 'the example app', services: 'services', dependency: 'npm packages', node: 'Node', v8: 'V8', other: 'other'
}

/** What took the CPU: by owner, by function, and by function of one's own code, which seldom makes it to the top. */
export function summaryText ({ functions, whose }: Summary, { cpu, eventLoop, delayP99 }: Busy): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)}%`
  const lines = (listed: Summary['functions']): string => table(
    ['function', 'self', 'ms', 'where'],
    listed.map(({ name, self, share, where }) => [name, percent(share), (self / 1_000).toFixed(1), where]))
  return [
    `CPU busy ${percent(cpu)}, event loop busy ${percent(eventLoop)}, late by ${delayP99.toFixed(1)} ms in the worst hundredth`,
    whose.map(({ whose, share }) => `${NAMES[whose]} ${percent(share)}`).join(', '),
    `\nTop functions by self time, of the time that was not idle\n\n${lines(functions.slice(0, TOP))}`,
    `\nThe same for the example app and Headroom alone\n\n${lines(functions.filter(({ whose }) => isOwn(whose)).slice(0, TOP_OWN))}`
  ].join('\n')
}
