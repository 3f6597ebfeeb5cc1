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
  // Who has it as it is has it, and need not be sent it in a coding.
  if (tag.opaque === own.opaque) return true
  const { base, coding } = splitTag(tag.opaque)
  return coding !== '' && base === own.opaque && acceptable.includes(coding)
}

/** Of what a 304 may say nothing, because the client would take it for what it has (RFC 9110 §15.4.5). */
const REPRESENTATION_FIELDS = ['content-type', 'content-length', 'content-encoding', 'content-language', 'content-range'] as const

/** Removes what is said of a payload that another one takes the place of. */
export function removeRepresentation (reply: FastifyReply): void {
  for (const name of [...REPRESENTATION_FIELDS, 'content-disposition', 'accept-ranges', 'etag', 'last-modified']) reply.removeHeader(name)
}

let trailers: symbol | undefined

/** Fastify would announce them in a 304 too, and break off: it has no body to send them behind. Nothing public tells of them. */
export function hasTrailers (reply: FastifyReply): boolean {
  trailers ??= Object.getOwnPropertySymbols(reply).find(({ description }) => description === 'fastify.reply.trailers')
  return trailers !== undefined && (Reflect.get(reply, trailers) ?? null) !== null
}

/** On a reply that is to be a 304, with the tag that its client has, where that is why. */
const FRESH = Symbol('headroom.fresh')

type Marked = FastifyReply & { [FRESH]?: { readonly matched: EntityTag | undefined } | undefined }

/** Notes that the client has what it is sent. Till all stages have said what they would say of that, the reply stays what it is. */
export function markFresh (reply: FastifyReply, matched: EntityTag | undefined): void {
  const marked: Marked = reply
  marked[FRESH] = { matched }
}

/** Another reply is sent in its place. */
export function unmarkFresh (reply: FastifyReply): void {
  if (isFresh(reply)) (reply as Marked)[FRESH] = undefined
}

export function isFresh (reply: FastifyReply): boolean {
  return (reply as Marked)[FRESH] !== undefined
}

/** Makes a 304 of a reply that is marked, of whose payload nothing is sent. */
export function finishFresh (reply: FastifyReply): void {
  const marked: Marked = reply
  const { matched } = marked[FRESH]!
  marked[FRESH] = undefined
  reply.code(304)
  for (const name of REPRESENTATION_FIELDS) reply.removeHeader(name)
  if (matched !== undefined) reply.header('etag', formatEntityTag(matched))
  // RFC 9110 §15.4.5: that is for a 304 without a tag.
  if (reply.hasHeader('etag')) reply.removeHeader('last-modified')
}
