import type { FastifyReply, FastifyRequest } from 'fastify'
import { addVary } from '../shared/vary.js'
import { negotiate, parseAcceptEncoding } from './accept-encoding.js'
import type { Coding } from './codings.js'

export interface DecisionSettings {
  /** Offered, the best one first. */
  encodings: readonly Coding[]
  /** Bytes. */
  threshold: number
  isCompressible: (contentType: string | undefined) => boolean
  filter: ((request: FastifyRequest, reply: FastifyReply) => boolean) | undefined
  /** Whether a client may ask for no compression by `x-no-compression`. */
  allowOptOut: boolean
  reflectsInput: boolean
}

export interface Decision {
  /** Undefined: as it is. */
  readonly coding: Coding | undefined
  /** The client takes nothing else. */
  readonly isForced: boolean
  /** It takes nothing that there is. */
  readonly isUnacceptable?: true
}

const AS_IT_IS: Decision = { coding: undefined, isForced: false }
const UNACCEPTABLE: Decision = { ...AS_IT_IS, isUnacceptable: true }

/** Which coding a reply is to have; and says on what that depends. */
export function decide (request: FastifyRequest, reply: FastifyReply, settings: DecisionSettings): Decision {
  const { encodings, isCompressible, allowOptOut, reflectsInput, filter } = settings
  if (!isCompressible(textOf(reply.getHeader('content-type'))) || mayNotTransform(reply)) return AS_IT_IS
  varyByRequest(reply, settings)
  const { headers } = request
  // Of secrets beside what an attacker chooses, the length of the compressed reply tells: Gluck, Harris, Prado, "BREACH", 2013.
  const wouldTell = reflectsInput && (headers.authorization !== undefined || headers.cookie !== undefined || reply.hasHeader('set-cookie'))
  if (wouldTell || (filter !== undefined && !isWanted(filter, request, reply))) return AS_IT_IS
  const accepted = parseAcceptEncoding(headers['accept-encoding'])
  const best = negotiate(accepted, encodings)
  if (best === undefined) return UNACCEPTABLE
  const isForced = accepted.identity === 0
  if (best === 'identity' || (!isForced && allowOptOut && headers['x-no-compression'] !== undefined)) return AS_IT_IS
  return { coding: best, isForced }
}

/** Says on what of a request it depends which variant of a reply it gets. */
export function varyByRequest (reply: FastifyReply, { allowOptOut }: DecisionSettings): void {
  addVary(reply, 'Accept-Encoding')
  if (allowOptOut) addVary(reply, 'X-No-Compression')
}

/** What nobody may change: it has a coding already, is a part, or says so (RFC 9111 §5.2.2.6). */
function mayNotTransform (reply: FastifyReply): boolean {
  const coding = reply.getHeader('content-encoding')
  const cacheControl = reply.getHeader('cache-control')
  return (coding !== undefined && coding !== 'identity') || reply.statusCode === 206 || reply.hasHeader('content-range') ||
    (cacheControl !== undefined && /(?:^|[\s,])no-transform(?:[\s,]|$)/i.test(String(cacheControl)))
}

function isWanted (filter: NonNullable<DecisionSettings['filter']>, request: FastifyRequest, reply: FastifyReply): boolean {
  try {
    return filter(request, reply)
  } catch (error) {
    request.log.error({ err: error }, 'compression: the filter of a route failed')
    return false
  }
}

function textOf (field: unknown): string | undefined {
  return field === undefined ? undefined : String(field)
}
