import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import zlib from 'node:zlib'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'

export const PROTOCOLS = ['HTTP/1.1', 'HTTP/2'] as const
export type Protocol = typeof PROTOCOLS[number]

export interface Head {
  status: number
  /** Without those of the protocol and of the connection. */
  headers: Record<string, string | string[] | undefined>
}

export interface Answer extends Head {
  /** As it came. */
  body: Buffer
}

export interface Opened extends Head {
  body: Readable
  /** Hangs up: the connection in HTTP/1.1, the stream in HTTP/2. */
  abort: () => void
}

export interface Sent {
  method?: string
  headers?: Record<string, string | string[]>
  body?: Buffer | string
}

export interface HttpClient {
  /** Rejects where the reply breaks off; in HTTP/2 Node ends one that was reset with NO_ERROR, as Fastify does, as if it were complete. */
  request: (path: string, sent?: Sent) => Promise<Answer>
  /** Resolves with the head of the reply. */
  open: (path: string, sent?: Sent) => Promise<Opened>
}

/** An app that speaks the protocol, HTTP/2 without TLS, and closes itself. */
export function newApp (t: Test, protocol: Protocol, options: FastifyServerOptions = {}): FastifyInstance {
  const app = (protocol === 'HTTP/2' ? fastify({ ...options, http2: true } as object) : fastify({ ...options, forceCloseConnections: true })) as FastifyInstance
  t.teardown(() => app.close())
  return app
}

/** Has the app listen, and talks to it over one connection, or over as many as it takes. */
export async function connectTo (t: Test, app: FastifyInstance): Promise<HttpClient> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const open = (app.initialConfig as { http2?: boolean }).http2 === true ? await overHttp2(t, port) : overHttp1(t, port)
  return {
    open,
    async request (path, sent) {
      const { status, headers, body } = await open(path, sent)
      return { status, headers, body: Buffer.concat(await body.toArray()) }
    }
  }
}

/** What the body decodes to; throws where it is not complete. */
export function decoded ({ headers, body }: Pick<Answer, 'headers' | 'body'>): Buffer {
  const decode = DECODERS[String(headers['content-encoding'] ?? 'identity')]
  if (decode === undefined) throw new Error(`no decoder of ${String(headers['content-encoding'])}`)
  return decode(body)
}

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  identity: (bytes) => bytes,
  br: zlib.brotliDecompressSync,
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  // The types are those of Node 20, which has none.
  zstd: (bytes) => (zlib as unknown as { zstdDecompressSync: (bytes: Buffer) => Buffer }).zstdDecompressSync(bytes)
}

type Open = HttpClient['open']

const OF_THE_CONNECTION = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding'])

function endToEnd (headers: http.IncomingHttpHeaders): Head['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':') && !OF_THE_CONNECTION.has(name)))
}

function overHttp1 (t: Test, port: number): Open {
  const agent = new http.Agent({ keepAlive: true })
  t.teardown(() => { agent.destroy() })
  return async (path, { method = 'GET', headers = {}, body } = {}) => {
    const request = http.request({ host: '127.0.0.1', port, agent, path, method, headers })
    request.end(body)
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    // A reset connection is told here too; the response has the same.
    request.on('error', () => {})
    return { status: response.statusCode!, headers: endToEnd(response.headers), body: response, abort: () => { request.destroy() } }
  }
}

async function overHttp2 (t: Test, port: number): Promise<Open> {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  t.teardown(() => { session.destroy() })
  session.on('error', () => {})
  await once(session, 'connect')
  return async (path, { method = 'GET', headers = {}, body } = {}) => {
    const stream = session.request({ ':path': path, ':method': method, ...headers }, { endStream: body === undefined })
    if (body !== undefined) stream.end(body)
    const [head] = await once(stream, 'response') as [http2.IncomingHttpHeaders]
    return { status: Number(head[':status']), headers: endToEnd(head), body: stream, abort: () => { stream.close(http2.constants.NGHTTP2_CANCEL) } }
  }
}
