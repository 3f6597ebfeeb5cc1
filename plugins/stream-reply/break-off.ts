import type { FastifyReply, FastifyRequest } from 'fastify'
import { constants, type Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'

/** Whatever the reply has been so far, it cannot be taken for a complete one: to the end of a connection a client of HTTP/1.0 takes for the end of the body. */
export function breakOff (request: FastifyRequest, reply: FastifyReply): void {
  if (request.raw.httpVersionMajor === 2) {
    const { stream } = reply.raw as unknown as Http2ServerResponse
    if (!stream.closed) stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    return
  }
  const { socket } = request.raw
  if (typeof (socket as Partial<Socket>).destroy !== 'function') {
    // There is no connection: app.inject().
    reply.raw.destroy()
    return
  }
  if (reply.raw.socket === null && !socket.destroyed) {
    // Pipelined behind another reply, which the client is to have all of: to be reset would take what it has not read yet. Of this
    // one it has nothing.
    reply.raw.once('socket', () => { socket.destroy() })
    return
  }
  const raw = transportOf(socket)
  if (!socket.destroyed && typeof raw.resetAndDestroy === 'function') raw.resetAndDestroy()
  socket.destroy()
}

/** The socket that TLS goes over: only that one can be reset. */
function transportOf (socket: Socket): Socket {
  const parent: unknown = Reflect.get(socket, '_parent')
  return typeof parent === 'object' && parent !== null && 'resetAndDestroy' in parent ? parent as Socket : socket
}
