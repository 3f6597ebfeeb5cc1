import { defineChannel } from '../shared/channel.js'
import type { SlowRequestLine } from './index.js'

export const slow = defineChannel<SlowRequestLine>('headroom:slow-request:slow')
