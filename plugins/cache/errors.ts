import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_CACHE_OPTION', [string]>('FST_HEADROOM_CACHE_OPTION', 'cache: %s')

export const LoadError = createError<'FST_HEADROOM_CACHE_LOAD', [string]>(
  'FST_HEADROOM_CACHE_LOAD', 'cache: expected a function that loads the value, got %s', 500, TypeError)

export const KeyError = createError<'FST_HEADROOM_CACHE_KEY', [string]>(
  'FST_HEADROOM_CACHE_KEY', 'cache: expected a non-empty string as the key, got %s', 500, TypeError)
