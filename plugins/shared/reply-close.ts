import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'

/**
 * Calls `onClose` once, when the reply has been handed over to the connection or when the connection has gone, and says
 * whether it was complete. Unlike an `onResponse` hook it sees the clients that leave.
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
  if (response.socket != null) {
    response.once('close', () => { onClose(response.writableEnded && !socket.destroyed) })
    return
  }
  // Pipelined behind another request: the response has no socket yet, and hears nothing when that one closes.
  const close = (): void => {
    response.off('close', close)
    socket.off('close', close)
    onClose(response.writableEnded && !socket.destroyed)
  }
  response.once('close', close)
  socket.once('close', close)
}

function onHttp2Close (response: Http2ServerResponse, onClose: (complete: boolean) => void): void {
  const { stream } = response
  response.once('close', () => { onClose(response.writableEnded && stream.rstCode === 0 && !stream.aborted) })
}
