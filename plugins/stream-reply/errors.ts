import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_STREAM_REPLY_OPTION', [string]>('FST_HEADROOM_STREAM_REPLY_OPTION', 'stream-reply: %s')

/** Of a statement that cannot be streamed. Nothing of it was run. */
export const StatementError = createError<'FST_HEADROOM_STREAM_REPLY_STATEMENT', [string] | [string, { cause: unknown }]>(
  'FST_HEADROOM_STREAM_REPLY_STATEMENT', 'stream-reply: expected one statement that returns rows: %s')

/** The client accepts none of the formats. */
export const NotAcceptableError = createError('FST_HEADROOM_STREAM_REPLY_NOT_ACCEPTABLE', 'The reply is there as application/json, application/x-ndjson and text/csv', 406)

/** There was no connection in time, or there is no database: a client is asked to come again. `cause` is what the driver said. */
export const UnavailableError = createError<'FST_HEADROOM_STREAM_REPLY_UNAVAILABLE', [string] | [string, { cause: unknown }]>(
  'FST_HEADROOM_STREAM_REPLY_UNAVAILABLE', 'stream-reply: %s', 503)

/** The app closes. */
export const ClosingError = createError('FST_HEADROOM_STREAM_REPLY_CLOSING', 'stream-reply: the app is closing', 503)

/** The reply took longer than its deadline. Where its first rows are not there by then, 504. */
export const DeadlineError = createError<'FST_HEADROOM_STREAM_REPLY_DEADLINE', [number]>(
  'FST_HEADROOM_STREAM_REPLY_DEADLINE', 'stream-reply: the reply was not complete within %d ms', 504)

/** The client read less than it has to. */
export const SlowReaderError = createError<'FST_HEADROOM_STREAM_REPLY_SLOW_READER', [number]>(
  'FST_HEADROOM_STREAM_REPLY_SLOW_READER', 'stream-reply: the client read less than %d bytes a second', 408)

/** A row that cannot be what the format or the route's response schema asks for. */
export const RowError = createError<'FST_HEADROOM_STREAM_REPLY_ROW', [string] | [string, { cause: unknown }]>('FST_HEADROOM_STREAM_REPLY_ROW', 'stream-reply: %s')
