import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_CACHE_OPTION', [string]>('FST_HEADROOM_CACHE_OPTION', 'cache: %s')

export const KeyError = createError<'FST_HEADROOM_CACHE_KEY', [string]>(
  'FST_HEADROOM_CACHE_KEY', 'cache: expected a non-empty string as the key, got %s', 500, TypeError)
