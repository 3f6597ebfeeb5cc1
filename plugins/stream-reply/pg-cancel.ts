import { isIP } from 'node:net'
import { withResolvers } from '../shared/with-resolvers.js'

/** What of pg's client and its connection is used to have the database cancel what it does for it. */
export interface Cancellable {
  readonly processID: number | null
  readonly host: string
  readonly port: number
  readonly connection: CancelConnection
}

interface CancelConnection {
  readonly stream: { readonly remoteAddress?: string, destroy (): void }
  ssl: boolean | { servername?: string }
  connect (port: number | string, host?: string): void
  requestSsl (): void
  cancel (processID: number, secretKey: unknown): void
  once (event: 'connect' | 'sslconnect' | 'end' | 'error', listener: (error?: Error) => void): unknown
  on (event: 'error', listener: (error: Error) => void): unknown
}

type ClientClass = new (options: object) => { connection: CancelConnection }

/**
 * Asks the database to cancel what it does for a client, on a connection of its own (PostgreSQL documentation, "Canceling Requests
 * in Progress"). Says nothing of whether there was something to cancel. When it resolves, the database has passed the request on:
 * it cannot hit what that client asks next.
 *
 * @param options of the pool: how it connects, and by what
 * @throws where the database cannot be reached, or has not done so within `milliseconds`
 */
export async function cancel (client: Cancellable, options: object, milliseconds: number): Promise<void> {
  const { processID, host, port } = client
  const secretKey: unknown = Reflect.get(client, 'secretKey')
  if (processID === null || secretKey === null) throw new Error('the server gave no key to cancel by')
  // It is made, and not connected: how to, by what stream and by which certificates, its connection knows.
  const { connection } = new (client.constructor as ClientClass)(options)
  const { promise, resolve, reject } = withResolvers<void>()
  connection.on('error', reject)
  connection.once('end', () => { resolve(undefined) })
  const send = (): void => { connection.cancel(processID, secretKey) }
  const timer = setTimeout(() => { reject(new Error(`no answer within ${milliseconds} ms`)) }, milliseconds)
  try {
    if (connection.ssl) {
      connection.once('connect', () => { if (Reflect.get(connection, 'sslNegotiation') !== 'direct') connection.requestSsl() })
      connection.once('sslconnect', send)
    } else {
      connection.once('connect', send)
    }
    if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`)
    else connection.connect(port, sameServer(client, connection))
    await promise
  } finally {
    clearTimeout(timer)
    connection.stream.destroy()
  }
}

/** A name can stand for several servers, of which only one knows the client. */
function sameServer ({ host, connection: { stream: { remoteAddress } } }: Cancellable, canceller: CancelConnection): string {
  if (remoteAddress === undefined) return host
  // The certificate is of the name.
  if (canceller.ssl && isIP(host) === 0) canceller.ssl = { servername: host, ...(typeof canceller.ssl === 'object' && canceller.ssl) }
  return remoteAddress
}
