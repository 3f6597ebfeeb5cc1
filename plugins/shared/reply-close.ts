import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'

/**
 * Calls `onClose` once, when the reply has been handed over to the connection or when the connection has gone, and says
 * whether it was complete; at once where it is over already. Unlike an `onResponse` hook it sees the clients that leave.
 *
 * `writableFinished` does not tell the two apart: on HTTP/1 it can be true of a reply whose client left after `end()`,
 * and it stays false on HTTP/2 and in `inject`.
 */
export function onReplyClose (request: FastifyRequest, reply: FastifyReply, onClose: (complete: boolean) => void): void {
  if (request.raw.httpVersionMajor === 2) onHttp2Close(reply.raw as unknown as Http2ServerResponse, onClose)
  else onHttp1Close(request.raw, reply.raw, onClose)
}

function onHttp1Close (request: IncomingMessage, response: ServerResponse, onClose: (complete: boolean) => void): void {
  const { socket } = request
  const report = (): void => { onClose(response.writableEnded && !socket.destroyed) }
  if (response.closed || socket.destroyed) {
    report()
  } else if (response.socket != null) {
    response.once('close', report)
  } else {
    // Pipelined behind another request: the response has no socket yet, and hears nothing when that one closes.
    const waiting = waitingOn(socket)
    const close = (): void => { if (waiting.delete(close)) report() }
    waiting.add(close)
    response.once('close', close)
  }
}

function onHttp2Close (response: Http2ServerResponse, onClose: (complete: boolean) => void): void {
  const { stream } = response
  const report = (): void => { onClose(response.writableEnded && stream.rstCode === 0 && !stream.aborted) }
  if (stream.closed || stream.destroyed) report()
  else response.once('close', report)
}

const pipelined = new WeakMap<Socket, Set<() => void>>()

/** One listener a connection, however many requests a client sends down it at once. */
function waitingOn (socket: Socket): Set<() => void> {
  let waiting = pipelined.get(socket)
  if (waiting === undefined) {
    const replies = new Set<() => void>()
    waiting = replies
    pipelined.set(socket, replies)
    socket.once('close', () => { for (const close of replies) close() })
  }
  return waiting
}
