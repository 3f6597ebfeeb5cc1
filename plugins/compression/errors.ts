import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_COMPRESSION_OPTION', [string]>('FST_HEADROOM_COMPRESSION_OPTION', 'compression: %s')

export const CodingError = createError<'FST_HEADROOM_COMPRESSION_CODING', [string]>('FST_HEADROOM_COMPRESSION_CODING', 'compression: %s', 500, TypeError)

/** The client refuses each coding that there is, and what has none. */
export const NotAcceptableError = createError('FST_HEADROOM_COMPRESSION_NOT_ACCEPTABLE', 'The reply has no content coding that is acceptable', 406)
