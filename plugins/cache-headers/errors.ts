import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_CACHE_HEADERS_OPTION', [string]>('FST_HEADROOM_CACHE_HEADERS_OPTION', 'cache-headers: %s')

/** What the client asked about is not what there is. */
export const PreconditionFailedError = createError('FST_HEADROOM_CACHE_HEADERS_PRECONDITION_FAILED', 'The precondition does not hold', 412)

export const VersionError = createError<'FST_HEADROOM_CACHE_HEADERS_VERSION', [string]>(
  'FST_HEADROOM_CACHE_HEADERS_VERSION', 'cache-headers: expected of version a non-empty string, a Date, null or undefined, got %s')
