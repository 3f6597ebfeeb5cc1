import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_POOL_HEALTH_OPTION', [string]>('FST_HEADROOM_POOL_HEALTH_OPTION', 'pool-health: %s')
