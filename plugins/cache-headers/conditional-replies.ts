import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatEntityTag, parseEntityTag, type EntityTag } from '../shared/entity-tag.js'
import { formatHttpDate, parseHttpDate } from '../shared/http-date.js'
import { isConditional, judge } from '../shared/preconditions.js'
import { becomeNotModified, isRead, matchesRead } from '../shared/not-modified.js'
import { codingsOf } from '../shared/route-codings.js'
import { discard, type Payload } from '../shared/send-stages.js'
import { preconditionFailed } from './channels.js'
import type { ContentTag } from './content-tag.js'
import { PreconditionFailedError } from './errors.js'
import { tagNotModified, tell } from './not-modified.js'
import { isPast, type Validators } from './validators.js'
import { versionSent, type Asked, type Version } from './versions.js'

export interface ConditionalRepliesOptions {
  tagOf: ContentTag | undefined
  version: Version | undefined
  /** Milliseconds since the epoch. */
  now: () => number
  asked: WeakMap<FastifyRequest, Asked>
}

/** Validators of ours that a reply has, until it becomes another one. */
const OURS = Symbol('headroom.cacheHeaders.ours')

type Marked = FastifyReply & { [OURS]?: Array<'etag' | 'last-modified'> }

/** Gives replies their validators, and judges conditions by them. */
export class ConditionalReplies {
  readonly #options: ConditionalRepliesOptions

  constructor (options: ConditionalRepliesOptions) {
    this.#options = options
  }

  /** @throws PreconditionFailedError, never of a method that changes something: that has happened by now */
  send (request: FastifyRequest, reply: FastifyReply, payload: Payload): Payload | Promise<Payload> {
    const { statusCode } = reply
    const { version } = this.#options
    if (statusCode === 304) return payload
    forget(reply)
    if (!isRead(request.method) || statusCode < 200 || statusCode > 299) return payload
    if (version === undefined || payload === undefined || payload === null || reply.hasHeader('etag')) return this.#judged(request, reply, payload, undefined)
    return versionSent(version, this.#options.asked.get(request) ?? {}, request, payload).then((validators) => this.#judged(request, reply, payload, validators))
  }

  #judged (request: FastifyRequest, reply: FastifyReply, payload: Payload, validators: Validators | undefined): Payload {
    const now = this.#options.now()
    const tag = this.#tag(reply, payload, validators, now)
    const lastModified = dateOf(reply, validators, now)
    if (!isConditional(request.headers)) return payload
    const matches = tag && ((other: EntityTag, strongly: boolean) => matchesRead(other, strongly, tag, codingsOf(request).acceptable(request)))
    const verdict = judge(request.headers, { exists: true, matches, lastModified }, true, now)
    if (verdict === 'proceed') return payload
    discard(payload)
    if (verdict.is === 'failed') {
      preconditionFailed.publish(() => ({ method: request.method, route: request.routeOptions.url ?? '', field: verdict.field }))
      throw new PreconditionFailedError()
    }
    becomeNotModified(reply, tagNotModified(request, verdict.tag, tag))
    tell(request, false)
    return null
  }

  /** The one that is there already, else the one of the version, else one of the content. */
  #tag (reply: FastifyReply, payload: Payload, validators: Validators | undefined, now: number): EntityTag | undefined {
    const present = reply.getHeader('etag')
    if (present !== undefined) return parseEntityTag(present)
    const { tagOf } = this.#options
    const text = validators !== undefined && validators.sureFrom <= now
      ? formatEntityTag(validators.tag)
      : tagOf !== undefined && isWhole(reply, payload) ? tagOf(payload) : undefined
    if (text === undefined) return undefined
    mark(reply.header('etag', text), 'etag')
    return parseEntityTag(text)
  }
}

/** Whether the payload is all there is of what is asked for, and has no coding yet. */
function isWhole (reply: FastifyReply, payload: Payload): payload is string | Buffer {
  const { statusCode } = reply
  return (typeof payload === 'string' || Buffer.isBuffer(payload)) && statusCode !== 206 && statusCode !== 204 && statusCode !== 205 && !reply.hasHeader('content-encoding')
}

function dateOf (reply: FastifyReply, validators: Validators | undefined, now: number): number | undefined {
  const present = reply.getHeader('last-modified')
  if (present !== undefined) return parseHttpDate(String(present), now)
  const lastModified = validators?.lastModified
  if (lastModified === undefined || !isPast(lastModified, now)) return undefined
  mark(reply.header('last-modified', formatHttpDate(lastModified)), 'last-modified')
  return lastModified
}

function mark (reply: FastifyReply, name: 'etag' | 'last-modified'): void {
  const marked: Marked = reply
  marked[OURS] = [...marked[OURS] ?? [], name]
}

/** An error in the place of what they were of: also when the reply's headers were given to Node already. */
function forget (reply: FastifyReply): void {
  const marked: Marked = reply
  for (const name of marked[OURS] ?? []) {
    reply.removeHeader(name)
    reply.raw.removeHeader(name)
  }
  delete marked[OURS]
}
