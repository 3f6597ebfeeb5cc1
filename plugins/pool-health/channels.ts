import { defineChannel } from '../shared/channel.js'
import type { Advice } from './advice.js'
import type { Dirt } from './dirt.js'
import type { LeakReport } from './holds.js'

export const away = defineChannel<{ pool: string }>('headroom:pool-health:away')
export const back = defineChannel<{ pool: string, elapsed: number }>('headroom:pool-health:back')
export const broken = defineChannel<{ pool: string, error: Error }>('headroom:pool-health:broken')
export const leak = defineChannel<LeakReport>('headroom:pool-health:leak')
export const leakReturned = defineChannel<LeakReport & { how: 'returned' | 'taken away' }>('headroom:pool-health:leak-returned')
export const dirtyReturn = defineChannel<Omit<LeakReport, 'held'> & { dirt: Dirt, destroyed: boolean }>('headroom:pool-health:dirty-return')
export const refused = defineChannel<Omit<LeakReport, 'held' | 'site' | 'stack' | 'sql'> & { waited: number, predicted: number }>('headroom:pool-health:refused')
export const verdict = defineChannel<{ pool: string, advice: Advice, before: Advice['verdict'] }>('headroom:pool-health:verdict')
