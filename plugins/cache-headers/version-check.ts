import type { FastifyReply, FastifyRequest } from 'fastify'
import { splitTag } from '../shared/encoded-tag.js'
import type { EntityTag } from '../shared/entity-tag.js'
import { hasTrailers, isRead, matchesRead } from '../shared/not-modified.js'
import { isConditional, judge, type ConditionalFields, type Selected } from '../shared/preconditions.js'
import { codingsOf } from '../shared/route-codings.js'
import type { Handle } from '../shared/route-hooks.js'
import { failed } from './failed-precondition.js'
import { sendNotModified } from './early-not-modified.js'
import { isSettled, type Validators } from './validators.js'
import { askVersion, noteReturned, readsPayload, type Asked, type Version } from './versions.js'

/**
 * A condition that holds, for the database to judge once more, in the statement that writes: between the two, another request can
 * have written.
 */
export interface Precondition {
  /** The tag of the version that was compared, without quotes and without a coding; null where there is no such resource. */
  readonly tag: string | null
  /** The version as a text: what `version` gave, or its date as ISO 8601, with the microseconds that are known of it. */
  readonly version: string | null
}

export interface VersionCheckOptions {
  version: Version
  /** Milliseconds since the epoch. */
  now: () => number
  asked: WeakMap<FastifyRequest, Asked>
  decorateAs: string
}

/** Methods that no condition means anything for (RFC 9110 §13.2.1). */
const UNCONDITIONAL: ReadonlySet<string> = new Set(['OPTIONS', 'TRACE', 'CONNECT'])

/** Fields that say something to other methods than GET and HEAD, in their precedence (RFC 9110 §13.2.2). */
const WRITE_FIELDS = ['if-match', 'if-unmodified-since', 'if-none-match'] as const

/** Judges conditions by the version there is, before the handler is called. */
export class VersionCheck {
  readonly #options: VersionCheckOptions
  readonly #asksAlways: boolean

  constructor (options: VersionCheckOptions) {
    this.#options = options
    this.#asksAlways = !readsPayload(options.version)
  }

  around (handle: Handle, request: FastifyRequest, reply: FastifyReply): unknown {
    const { method } = request
    if (isRead(method)) return this.#read(handle, request, reply)
    const isJudged = !UNCONDITIONAL.has(method) && WRITE_FIELDS.some((field) => request.headers[field] !== undefined)
    return isJudged ? this.#write(handle, request, reply) : handle(request, reply)
  }

  #read (handle: Handle, request: FastifyRequest, reply: FastifyReply): unknown {
    const asked: Asked = {}
    this.#options.asked.set(request, asked)
    if (!this.#asksAlways && !isConditional(request.headers)) return noteReturned(asked, reply, handle(request, reply))
    return this.#asked(request).then((validators) => {
      asked.earlier = validators ?? undefined
      // Of what is not there the handler says so: no condition changes that (RFC 9110 §13.2.1).
      if (validators === undefined || validators === null || !isConditional(request.headers)) return noteReturned(asked, reply, called(handle, request, reply))
      const now = this.#options.now()
      const acceptable = codingsOf(request).acceptable(request)
      const { lastModified } = validators
      const selected: Selected = {
        exists: true,
        matches: (tag, strongly) => matchesRead(tag, strongly, validators.tag, acceptable),
        // No client can have one that has not settled.
        lastModified: lastModified !== undefined && isSettled(lastModified, now) ? lastModified : undefined
      }
      const verdict = judge(request.headers, selected, true, now)
      if (verdict === 'proceed' || (verdict.is === 'not modified' && hasTrailers(reply))) return noteReturned(asked, reply, called(handle, request, reply))
      if (verdict.is === 'failed') throw failed(request, verdict.field)
      sendNotModified(request, reply, verdict.tag, validators, now)
      return reply
    })
  }

  /** The handler answers without a version too. */
  async #asked (request: FastifyRequest): Promise<Validators | null | undefined> {
    try {
      return await askVersion(this.#options.version, request)
    } catch (error) {
      request.log.error({ err: error }, 'cache-headers: the version of a resource could not be told')
      return undefined
    }
  }

  async #write (handle: Handle, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const validators = await askVersion(this.#options.version, request)
    const selected: Selected = validators === null
      ? ABSENT
      // Whichever coding the client got it in, it knows that state.
      : validators === undefined ? UNKNOWN : { exists: true, matches: (tag, strongly) => matchesWrite(tag, strongly, validators.tag), lastModified: validators.lastModified }
    const verdict = judge(request.headers, selected, false, this.#options.now())
    if (verdict !== 'proceed') throw failed(request, verdict.field)
    // Nobody can say that it holds.
    if (validators === undefined) throw failed(request, WRITE_FIELDS.find((field) => request.headers[field] !== undefined)!)
    if (!isMetByAny(request.headers)) {
      Reflect.set(request, this.#options.decorateAs, { tag: validators?.tag.opaque ?? null, version: validators?.version ?? null } satisfies Precondition)
    }
    return await called(handle, request, reply)
  }
}

/** Of a handler that sends later, in a callback, Fastify would take what a promise resolves with for its payload. */
function called (handle: Handle, request: FastifyRequest, reply: FastifyReply): unknown {
  const returned = handle(request, reply)
  return returned === undefined ? reply : returned
}

/** Whatever there is, it goes on: nothing has to be compared when it is written. */
function isMetByAny (fields: ConditionalFields): boolean {
  return fields['if-match']?.trim() === '*' && fields['if-none-match'] === undefined
}

/** Whether a client that has the tag, in whichever coding it got it, knows the state of the resource. */
function matchesWrite ({ weak, opaque }: EntityTag, strongly: boolean, own: EntityTag): boolean {
  return !(strongly && weak) && (opaque === own.opaque || splitTag(opaque).base === own.opaque)
}

const ABSENT: Selected = { exists: false }
const UNKNOWN: Selected = { exists: true }
