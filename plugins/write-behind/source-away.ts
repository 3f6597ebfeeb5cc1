import { isOutage } from '../shared/outage.js'

/** SQLSTATE of a deadlock, and of what could not be serialised: nothing is wrong with the write. */
const IN_EACH_OTHERS_WAY = new Set(['40001', '40P01'])

/** Whether an error says nothing about the write: the source is away, or others were in its way. */
export function isSourceAway (error: unknown): boolean {
  return isOutage(error, { sqlStates: IN_EACH_OTHERS_WAY })
}
