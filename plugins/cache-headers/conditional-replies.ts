import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatEntityTag, parseEntityTag, type EntityTag } from '../shared/entity-tag.js'
import { formatHttpDate, parseHttpDate } from '../shared/http-date.js'
import { isConditional, judge } from '../shared/preconditions.js'
import { hasTrailers, isRead, markFresh, matchesRead, removeRepresentation } from '../shared/not-modified.js'
import { codingsOf } from '../shared/route-codings.js'
import { discard, type Payload } from '../shared/send-stages.js'
import type { ContentTag } from './content-tag.js'
import { failed } from './failed-precondition.js'
import { asSent, publishNotModified } from './early-not-modified.js'
import { isSettled, type Validators } from './validators.js'
import { versionSent, type Asked, type Version } from './versions.js'

export interface ConditionalRepliesOptions {
  tagOf: ContentTag | undefined
  version: Version | undefined
  /** Milliseconds since the epoch. */
  now: () => number
  asked: WeakMap<FastifyRequest, Asked>
}

/** Validators of ours that a reply has, until it becomes another one. */
const OWN_VALIDATORS = Symbol('headroom.cacheHeaders.ownValidators')

type Marked = FastifyReply & { [OWN_VALIDATORS]?: true | undefined }

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
    const asked = version && this.#options.asked.get(request)
    if (version === undefined || asked === undefined || asked.isOver || payload === undefined || payload === null || reply.hasHeader('etag')) return this.#judged(request, reply, payload, undefined)
    asked.isOver = true
    return versionSent(version, asked, request, payload).then((validators) => this.#judged(request, reply, payload, validators))
  }

  #judged (request: FastifyRequest, reply: FastifyReply, payload: Payload, validators: Validators | undefined): Payload {
    const now = this.#options.now()
    this.#setValidators(reply, payload, validators, now)
    if (!isConditional(request.headers)) return payload
    const tag = parseEntityTag(reply.getHeader('etag'))
    const lastModified = dateOf(reply, now)
    // Once: a request can have thousands of tags.
    const acceptable = codingsOf(request).acceptable(request)
    const matches = tag && ((other: EntityTag, strongly: boolean) => matchesRead(other, strongly, tag, acceptable))
    const verdict = judge(request.headers, { exists: true, matches, lastModified }, true, now)
    if (verdict === 'proceed') return payload
    if (hasTrailers(reply) && verdict.is === 'not modified') return payload
    if (verdict.is === 'failed') {
      discard(payload)
      removeRepresentation(reply)
      throw failed(request, verdict.field)
    }
    markFresh(reply, verdict.tag && asSent(verdict.tag, tag!))
    publishNotModified(request, false)
    return payload
  }

  /** Those that are there already stand; else they are of the version, else the tag is of the content. */
  #setValidators (reply: FastifyReply, payload: Payload, validators: Validators | undefined, now: number): void {
    const { tagOf } = this.#options
    const marked: Marked = reply
    if (!reply.hasHeader('etag')) {
      const tag = validators !== undefined && validators.sureFrom <= now
        ? formatEntityTag(validators.tag)
        : tagOf !== undefined && isWhole(reply, payload) ? tagOf(payload) : undefined
      if (tag !== undefined) {
        reply.header('etag', tag)
        marked[OWN_VALIDATORS] = true
      }
    }
    const lastModified = validators?.lastModified
    if (lastModified !== undefined && isSettled(lastModified, now) && !reply.hasHeader('last-modified')) {
      reply.header('last-modified', formatHttpDate(lastModified))
      marked[OWN_VALIDATORS] = true
    }
  }
}

/** Whether the payload is all there is of what is asked for, and has no coding yet. */
function isWhole (reply: FastifyReply, payload: Payload): payload is string | Buffer {
  const { statusCode } = reply
  return (typeof payload === 'string' || Buffer.isBuffer(payload)) && statusCode !== 206 && statusCode !== 204 && statusCode !== 205 && !reply.hasHeader('content-encoding')
}

function dateOf (reply: FastifyReply, now: number): number | undefined {
  const present = reply.getHeader('last-modified')
  return present === undefined ? undefined : parseHttpDate(String(present), now)
}

/** An error in the place of what they were of: also when the reply's headers were given to Node already. */
function forget (reply: FastifyReply): void {
  const marked: Marked = reply
  if (marked[OWN_VALIDATORS] === undefined) return
  marked[OWN_VALIDATORS] = undefined
  for (const name of ['etag', 'last-modified']) {
    reply.removeHeader(name)
    reply.raw.removeHeader(name)
  }
}
