import { once } from 'node:events'
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'

/** What each reply of a variant is like. */
export interface ExpectedReply {
  /** Default 200. */
  status?: number
  /** Its Content-Encoding. Default: it has none. */
  encoding?: string
  /** Whether it has an ETag. Default: whichever. */
  isTagged?: boolean
}

/** @throws where a variant answers otherwise than its entry says: it would be another work that is measured */
export function checkReply (variant: string, { status: found, headers }: Reply, { status = 200, encoding, isTagged }: ExpectedReply = {}): void {
  const { 'content-encoding': coding, etag } = headers
  if (found !== status) throw new Error(`${variant}: expected a reply with status ${status}, got ${found}`)
  if (coding !== encoding) throw new Error(`${variant}: expected ${codingText(encoding)}, got ${codingText(coding)}`)
  if (isTagged !== undefined && (etag !== undefined) !== isTagged) throw new Error(`${variant}: expected ${isTagged ? 'an' : 'no'} ETag, got ${etag ?? 'none'}`)
}

function codingText (coding: string | undefined): string {
  return coding === undefined ? 'no Content-Encoding' : `Content-Encoding ${coding}`
}

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
}

/** With these headers only: `fetch` would accept codings of its own. */
export async function replyTo (url: string, headers: Readonly<Record<string, string>>): Promise<Reply> {
  const [message] = await once(get(url, { headers, agent: false }), 'response') as [IncomingMessage]
  message.resume()
  await once(message, 'end')
  return { status: message.statusCode!, headers: message.headers }
}

/** Headers of a client that has the reply already. @throws where it has no tag */
export function revalidating (variant: string, { headers: { etag } }: Reply): Record<string, string> {
  if (etag === undefined) throw new Error(`${variant}: expected an ETag to ask again with, got none`)
  return { 'if-none-match': etag }
}
