import type { FastifyReply, FastifyRequest } from 'fastify'
import { onReplyClose } from './reply-close.js'

const signals = new WeakMap<FastifyRequest, AbortSignal>()

/** The reason with which a client's signal aborts. */
export class ClientLeftError extends Error {
  override readonly name = 'AbortError'
  readonly code = 'FST_HEADROOM_CLIENT_LEFT'
  /** As nginx has it of such requests. Nobody gets it; a handler that fails by it is logged as what it is, and not as a fault of the server. */
  readonly statusCode = 499

  constructor () {
    super('The client left before the reply was complete')
  }
}

/**
 * Aborts, once, when the client leaves before its reply is complete; never when the reply was sent. One signal a request,
 * made when it is first asked for; aborted already where the client has gone.
 *
 * Not Fastify's `request.signal`: that listens to the request's `close`, which comes when its body has been read, and so
 * aborts about a millisecond into every POST.
 */
export function clientSignal (request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const made = signals.get(request)
  if (made !== undefined) return made
  const controller = new AbortController()
  signals.set(request, controller.signal)
  onReplyClose(request, reply, (complete) => {
    if (!complete) controller.abort(new ClientLeftError())
  })
  return controller.signal
}
