import type { FastifyReply, FastifyRequest } from 'fastify'
import type { EntityTag } from '../shared/entity-tag.js'
import { formatHttpDate } from '../shared/http-date.js'
import { becomeNotModified } from '../shared/not-modified.js'
import { codingsOf } from '../shared/route-codings.js'
import { notModified } from './channels.js'
import { isPast, type Validators } from './validators.js'

/**
 * The tag of a 304.
 *
 * @param matched the tag that the client has; undefined where it asked by a date, or for anything
 * @param own of what it would be sent, without a coding
 */
export function tagNotModified (request: FastifyRequest, matched: EntityTag | undefined, own: EntityTag | undefined): EntityTag | undefined {
  // In which coding it would be sent is not known then; a tag that no reply has would tell a cache nothing.
  if (matched === undefined) return codingsOf(request).acceptable(request).length > 1 ? undefined : own
  // In a coding it can be weak where the version's is strong: of what is encoded as it comes, the bytes are not the same each time.
  return matched.opaque === own?.opaque ? own : matched
}

/** Before the handler. */
export function sendNotModified (request: FastifyRequest, reply: FastifyReply, matched: EntityTag | undefined, { tag, lastModified, sureFrom }: Validators, now: number): void {
  if (lastModified !== undefined && isPast(lastModified, now)) reply.header('last-modified', formatHttpDate(lastModified))
  becomeNotModified(reply, tagNotModified(request, matched, sureFrom <= now ? tag : undefined))
  tell(request, true)
  reply.send()
}

export function tell ({ method, routeOptions }: FastifyRequest, beforeHandler: boolean): void {
  notModified.publish(() => ({ method, route: routeOptions.url ?? '', beforeHandler }))
}
