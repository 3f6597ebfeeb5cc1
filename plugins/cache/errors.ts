import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_CACHE_OPTION', [string]>('FST_HEADROOM_CACHE_OPTION', 'cache: %s')

export const LoadError = createError<'FST_HEADROOM_CACHE_LOAD', [string]>(
  'FST_HEADROOM_CACHE_LOAD', 'cache: expected %s', 500, TypeError)

export const KeyError = createError<'FST_HEADROOM_CACHE_KEY', [string]>(
  'FST_HEADROOM_CACHE_KEY', 'cache: expected a non-empty string as the key, got %s', 500, TypeError)

export const TagError = createError<'FST_HEADROOM_CACHE_TAG', [string]>(
  'FST_HEADROOM_CACHE_TAG', 'cache: expected as a tag a non-empty, well-formed string of up to 1,024 bytes without control characters, got %s', 500, TypeError)

export const ReentryError = createError<'FST_HEADROOM_CACHE_REENTRY', [string]>(
  'FST_HEADROOM_CACHE_REENTRY', 'cache: a load waits for itself: %s')

export const TimeoutError = createError<'FST_HEADROOM_CACHE_TIMEOUT', [number]>(
  'FST_HEADROOM_CACHE_TIMEOUT', 'cache: the load did not end within %d ms; it goes on, and what it brings is kept', 504)

export const BusyError = createError<'FST_HEADROOM_CACHE_BUSY', [number]>(
  'FST_HEADROOM_CACHE_BUSY', 'cache: %d callers wait for this key already', 503)

export const UnsharedError = createError(
  'FST_HEADROOM_CACHE_UNSHARED', 'cache: Redis could not be told of the write; until it answers, and what it has there is removed, other processes may give out the old value', 503)

/** Of `getMany`: `errors` has the reasons, in the order of the ids. */
export const BatchError = createError<'FST_HEADROOM_CACHE_BATCH', [number, number]>(
  'FST_HEADROOM_CACHE_BATCH', 'cache: %d of %d ids could not be loaded')
