import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_SLOW_REQUEST_OPTION', [string]>('FST_HEADROOM_SLOW_REQUEST_OPTION', 'slow-request: %s')
