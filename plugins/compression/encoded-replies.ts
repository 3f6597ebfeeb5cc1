import type { FastifyReply, FastifyRequest } from 'fastify'
import { performance } from 'node:perf_hooks'
import type { Readable } from 'node:stream'
import { encodedTag, splitTag } from '../shared/encoded-tag.js'
import { parseEntityTag, parseEntityTags } from '../shared/entity-tag.js'
import { hasTrailers, isFresh, isRead, markFresh, matchesRead, removeRepresentation } from '../shared/not-modified.js'
import { onReplyClose } from '../shared/reply-close.js'
import { discard, isStream, type Payload } from '../shared/send-stages.js'
import type { Coding } from './codings.js'
import { decide, varyByRequest, type DecisionSettings } from './decision.js'
import type { Effort, Encoders } from './encoders.js'
import { NotAcceptableError } from './errors.js'
import type { Load } from './load.js'
import type { Slots } from './slots.js'
import type { RouteCounts } from './stats.js'
import { encodeStream } from './stream-encoder.js'

export interface EncodedRepliesOptions {
  settings: DecisionSettings
  encoders: Encoders
  load: Load
  slots: Slots
  counts: RouteCounts
  acceptable: (request: FastifyRequest) => readonly string[]
}

/** Bytes up to which it costs less to compress here than to hand over to another thread. */
const AT_ONCE = 16_384

/** On a reply that has a coding of ours, until it becomes another one. */
const ENCODED = Symbol('headroom.compression.encoded')

type Marked = FastifyReply & { [ENCODED]?: { readonly tag: string | undefined } | undefined }

/** Encodes the replies of a route. */
export class EncodedReplies {
  readonly #options: EncodedRepliesOptions

  constructor (options: EncodedRepliesOptions) {
    this.#options = options
  }

  /** @throws NotAcceptableError, of reads only: what has been changed has been changed */
  send (request: FastifyRequest, reply: FastifyReply, payload: Payload): Payload | Promise<Payload> {
    forget(reply)
    const { statusCode } = reply
    // Which variant it stands for depends on the same as the variant itself.
    if (statusCode === 304) varyByRequest(reply, this.#options.settings)
    if (payload === undefined || payload === null || statusCode < 200 || statusCode === 204 || statusCode === 205 || statusCode === 304) return payload
    const { settings, counts } = this.#options
    const { coding, isForced, isUnacceptable } = decide(request, reply, settings)
    const isReadOf2xx = statusCode < 300 && isRead(request.method)
    if (isUnacceptable && isReadOf2xx) {
      discard(payload)
      removeRepresentation(reply)
      throw new NotAcceptableError()
    }
    if (isReadOf2xx) this.#findKnown(request, reply)
    if (coding === undefined) return payload
    const size = sizeOf(reply, payload)
    if (!isForced && size < settings.threshold) return payload
    const { effort } = this.#options.load
    if (isFresh(reply)) {
      // Nothing of it is sent, and its tag is that of what would be.
      if (effort !== 'none') mark(reply, coding, effort, isStream(payload))
      return payload
    }
    if (effort === 'none') {
      counts.shed()
      return payload
    }
    return isStream(payload) ? this.#stream(request, reply, payload, coding, effort) : this.#bytes(reply, payload, size, coding, effort)
  }

  /** A client whose tag has a coding: who made the tag knows nothing of that. */
  #findKnown (request: FastifyRequest, reply: FastifyReply): void {
    const ifNoneMatch = request.headers['if-none-match']
    const own = ifNoneMatch === undefined || request.headers['if-match'] !== undefined ? undefined : parseEntityTag(reply.getHeader('etag'))
    if (own === undefined || isFresh(reply)) return
    const tags = parseEntityTags(ifNoneMatch!)
    const acceptable = this.#options.acceptable(request)
    const known = tags === '*' || hasTrailers(reply) ? undefined : tags?.find((tag) => splitTag(tag.opaque).coding !== '' && matchesRead(tag, false, own, acceptable))
    if (known !== undefined) markFresh(reply, known)
  }

  #bytes (reply: FastifyReply, payload: string | Buffer, size: number, coding: Coding, effort: Effort): Payload | Promise<Payload> {
    const { encoders, slots, counts } = this.#options
    const began = performance.now()
    const ended = (encoded: Buffer): Buffer => {
      counts.add(size, encoded.length, performance.now() - began)
      mark(reply, coding, effort, false)
      return encoded
    }
    if (size <= AT_ONCE) return ended(encoders.sync(coding, effort, payload))
    if (!slots.take()) {
      counts.shed()
      return payload
    }
    return encoders.async(coding, effort, payload).then(ended).finally(() => { slots.give() })
  }

  #stream (request: FastifyRequest, reply: FastifyReply, payload: Readable, coding: Coding, effort: Effort): Payload {
    const { encoders, slots, counts } = this.#options
    // Nothing of it is sent.
    if (request.method === 'HEAD') {
      mark(reply, coding, effort, true)
      return payload
    }
    if (!slots.take()) {
      counts.shed()
      return payload
    }
    let encoded: Readable
    try {
      encoded = encodeStream(payload, encoders.stream(coding, effort), (bytesIn, bytesOut) => {
        slots.give()
        counts.add(bytesIn, bytesOut, 0)
      })
    } catch (error) {
      // It is no stream, but for its name.
      slots.give()
      throw error
    }
    mark(reply, coding, effort, true)
    // Where a hook behind this one fails, nobody takes it.
    onReplyClose(request, reply, () => { encoded.destroy() })
    return encoded
  }
}

/** Of a stream only what its sender says. */
function sizeOf (reply: FastifyReply, payload: string | Buffer | Readable): number {
  return isStream(payload) ? Number(reply.getHeader('content-length') ?? Infinity) : Buffer.byteLength(payload)
}

/** @param isStream where it is let out depends on when it came, and with it the bytes */
function mark (reply: FastifyReply, coding: Coding, effort: Effort, isStream: boolean): void {
  reply.header('content-encoding', coding)
  // Of the payload Fastify counts it anew.
  reply.removeHeader('content-length')
  // Parts of what is not encoded would be put behind what is.
  reply.removeHeader('accept-ranges')
  const field = reply.getHeader('etag')
  const tag = typeof field === 'string' ? field : undefined
  if (tag !== undefined) reply.header('etag', encodedTag(tag, effort === 'low' ? `${coding}-low` : coding, isStream))
  const marked: Marked = reply
  marked[ENCODED] = { tag }
}

/** An error in the place of what was encoded: also when the reply's headers were given to Node already. */
function forget (reply: FastifyReply): void {
  const marked: Marked = reply
  const encoded = marked[ENCODED]
  if (encoded === undefined) return
  marked[ENCODED] = undefined
  reply.removeHeader('content-encoding')
  reply.raw.removeHeader('content-encoding')
  if (encoded.tag !== undefined && reply.hasHeader('etag')) reply.header('etag', encoded.tag)
}
