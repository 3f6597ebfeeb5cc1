import createError from '@fastify/error'

export const OptionError = createError<'FST_HEADROOM_PARALLEL_OPTION', [string]>('FST_HEADROOM_PARALLEL_OPTION', 'parallel: %s')

const LateError = createError<'FST_HEADROOM_PARALLEL_DEADLINE', [number, string]>(
  'FST_HEADROOM_PARALLEL_DEADLINE', 'parallel: not there within %d ms: %s', 504)

/** Branches were not there in time. */
export class DeadlineError extends LateError {
  /** Their names, in the order in which they were given. */
  readonly late: readonly string[]

  /** @param deadline milliseconds */
  constructor (deadline: number, late: readonly string[]) {
    super(deadline, late.join(', '))
    this.late = late
  }
}
