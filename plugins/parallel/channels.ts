import { defineChannel } from '../shared/channel.js'
import type { LateBranches } from './index.js'

export const late = defineChannel<LateBranches>('headroom:parallel:late')
