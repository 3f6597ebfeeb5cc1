import type { FastifyReply } from 'fastify'
import { splitTag } from './encoded-tag.js'
import { formatEntityTag, type EntityTag } from './entity-tag.js'

export function isRead (method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/**
 * Whether a client that has the tag has what it could be sent now: in any coding that it accepts.
 *
 * @param own without a coding
 * @param acceptable codings as they stand in tags, `''` for none
 */
export function matchesRead (tag: EntityTag, strongly: boolean, own: EntityTag, acceptable: readonly string[]): boolean {
  // RFC 9110 §8.8.3.2.
  if (strongly && (tag.weak || own.weak)) return false
  if (tag.opaque === own.opaque) return acceptable.includes('')
  const { base, coding } = splitTag(tag.opaque)
  return coding !== '' && base === own.opaque && acceptable.includes(coding)
}

/** Of what a 304 may say nothing, because the client would take it for what it has (RFC 9110 §15.4.5). */
const OF_CONTENT = ['content-type', 'content-length', 'content-encoding', 'content-language', 'content-range'] as const

/** Makes a 304 of a reply that is not sent yet. @param tag of what it would be sent */
export function becomeNotModified (reply: FastifyReply, tag: EntityTag | undefined): void {
  reply.code(304)
  for (const name of OF_CONTENT) reply.removeHeader(name)
  // A tag says it better.
  if (tag !== undefined) reply.header('etag', formatEntityTag(tag)).removeHeader('last-modified')
}
