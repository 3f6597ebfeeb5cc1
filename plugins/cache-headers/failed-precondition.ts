import type { FastifyRequest } from 'fastify'
import type { ConditionalFields } from '../shared/preconditions.js'
import { preconditionFailed } from './channels.js'
import { PreconditionFailedError } from './errors.js'

/** To be thrown. Says on the channel which condition it was. */
export function failed ({ method, routeOptions }: FastifyRequest, field: keyof ConditionalFields): Error {
  preconditionFailed.publish(() => ({ method, route: routeOptions.url ?? '', field }))
  return new PreconditionFailedError()
}
