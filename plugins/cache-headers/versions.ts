import type { FastifyReply, FastifyRequest } from 'fastify'
import { describe } from '../shared/options.js'
import { isStream } from '../shared/send-stages.js'
import { VersionError } from './errors.js'
import { validatorsOf, type Validators } from './validators.js'

/**
 * Which version of a resource there is, or of which the payload is.
 *
 * @param payload what the handler has returned; undefined before it was called: then the version is asked for that there is now
 * @returns a text or a date; null where there is no such resource, undefined where it is not known
 */
export type Version = (request: AnyRequest, payload?: any) => Answer | Promise<Answer>
/** Of the route that it is given for. */
type AnyRequest = Omit<FastifyRequest, 'params' | 'query' | 'body'> & { params: any, query: any, body: any }
export type Answer = string | Date | null | undefined

/** Of one request. */
export interface Asked {
  /** What the handler has returned, once it has. */
  payload?: unknown
  /** Before the handler. */
  earlier?: Validators | undefined
  /** The handler has failed, or its reply while it was sent: what is sent in its place is no version of the resource. */
  isOver?: true
}

/** @returns null where there is no such resource, undefined where it is not known @throws what `version` throws, VersionError at what is none */
export async function askVersion (version: Version, request: FastifyRequest, payload?: unknown): Promise<Validators | null | undefined> {
  const answer = payload === undefined ? await version(request) : await version(request, payload)
  if (answer === null || answer === undefined) return answer
  const validators = validatorsOf(answer)
  if (validators === undefined) throw new VersionError(describe(answer))
  return validators
}

/** Whether a version looks at the payload. One that does not may know of a newer one than what the handler has returned. */
export function readsPayload (version: Version): boolean {
  return version.length > 1
}

/**
 * The version of what is sent. Where `version` does not look at the payload it is that only if it is the same as before the handler:
 * then nothing else was there between. Of a stream, which may read only later, it says nothing then.
 */
export async function versionSent (version: Version, { payload, earlier }: Asked, request: FastifyRequest, sent: unknown): Promise<Validators | undefined> {
  if (!readsPayload(version) && isStream(sent)) return undefined
  try {
    const validators = await askVersion(version, request, payload ?? sent) ?? undefined
    return readsPayload(version) || validators?.tag.opaque === earlier?.tag.opaque ? validators : undefined
  } catch (error) {
    // The reply is right without it.
    request.log.error({ err: error }, 'cache-headers: the version of a reply could not be told')
    return undefined
  }
}

/** Notes what the handler returns, in whichever way it does. */
export function noteReturned (asked: Asked, reply: FastifyReply, returned: unknown): unknown {
  // A reply is one too, and no payload; queries of some databases are, and no Promise.
  if (returned === undefined || returned === reply) return returned
  const { then } = returned as Partial<PromiseLike<unknown>> ?? {}
  if (typeof then === 'function') return Promise.resolve(returned).then((value: unknown) => noteReturned(asked, reply, value))
  asked.payload = returned
  return returned
}
