import { defineChannel } from '../shared/channel.js'
import type { StreamLine } from './stats.js'

export const ended = defineChannel<StreamLine>('headroom:stream-reply:ended')
