import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A client that asks, and reads nothing by itself. */
export async function get (port: number, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
  return socket
}
