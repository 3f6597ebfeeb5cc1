import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatEntityTag, type EntityTag } from '../shared/entity-tag.js'
import { formatHttpDate } from '../shared/http-date.js'
import { codingsOf } from '../shared/route-codings.js'
import { notModified } from './channels.js'
import { isSettled, type Validators } from './validators.js'

/**
 * The tag that the client has, as it was sent. In a coding it can be weak where the version's is strong: of what is encoded as it
 * comes, the bytes are not the same each time.
 *
 * @param own of what it would be sent, without a coding
 */
export function asSent (matched: EntityTag, own: EntityTag): EntityTag {
  return matched.opaque === own.opaque ? own : matched
}

/** Before the handler. @param matched the tag that the client has; undefined where it asked by a date, or for anything */
export function sendNotModified (request: FastifyRequest, reply: FastifyReply, matched: EntityTag | undefined, { tag, lastModified, sureFrom }: Validators, now: number): void {
  // In which coding it would be sent is not known; a tag that no reply has would tell a cache nothing.
  const isOnly = codingsOf(request).acceptable(request).length === 1
  const own = matched === undefined ? (isOnly && sureFrom <= now ? tag : undefined) : asSent(matched, tag)
  if (own !== undefined) reply.header('etag', formatEntityTag(own))
  else if (lastModified !== undefined && isSettled(lastModified, now)) reply.header('last-modified', formatHttpDate(lastModified))
  publishNotModified(request, true)
  reply.code(304).send()
}

export function publishNotModified ({ method, routeOptions }: FastifyRequest, beforeHandler: boolean): void {
  notModified.publish(() => ({ method, route: routeOptions.url ?? '', beforeHandler }))
}
