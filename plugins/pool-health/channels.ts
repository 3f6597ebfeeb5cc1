import { defineChannel } from '../shared/channel.js'

export const broken = defineChannel<{ pool: string, error: Error }>('headroom:pool-health:broken')
