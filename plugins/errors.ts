import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_OPTION', [string]>('FST_HEADROOM_OPTION', 'headroom: %s')
