import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_WRITE_BEHIND_OPTION', [string]>('FST_HEADROOM_WRITE_BEHIND_OPTION', 'write-behind: %s')

export const IdError = createError<'FST_HEADROOM_WRITE_BEHIND_ID', [string]>(
  'FST_HEADROOM_WRITE_BEHIND_ID', 'write-behind: expected as an id a number or a non-empty string of up to 1,024 bytes, got %s', 500, TypeError)

export const ValueError = createError<'FST_HEADROOM_WRITE_BEHIND_VALUE', [string]>(
  'FST_HEADROOM_WRITE_BEHIND_VALUE', 'write-behind: the value cannot be queued: %s', 500, TypeError)

export const DurabilityError = createError<'FST_HEADROOM_WRITE_BEHIND_DURABILITY', [string]>(
  'FST_HEADROOM_WRITE_BEHIND_DURABILITY', 'write-behind: %s', 503)

export const FullError = createError<'FST_HEADROOM_WRITE_BEHIND_FULL', [string]>(
  'FST_HEADROOM_WRITE_BEHIND_FULL', 'write-behind: the queue %s is full', 503)

/** The write was not kept, or it is not known whether it was. */
export const UnavailableError = createError<'FST_HEADROOM_WRITE_BEHIND_UNAVAILABLE', [string, { cause: unknown }]>(
  'FST_HEADROOM_WRITE_BEHIND_UNAVAILABLE', 'write-behind: %s', 503)

export const ClosingError = createError('FST_HEADROOM_WRITE_BEHIND_CLOSING', 'write-behind: the app closes', 503)

/** Seconds after which who was refused is asked to come again. */
const RETRY_AFTER = '1'

/** Fastify puts an error's `headers` into the reply. */
export function comeAgain<T extends Error> (error: T): T & { readonly headers: Readonly<Record<string, string>> } {
  return Object.assign(error, { headers: { 'retry-after': RETRY_AFTER } })
}
