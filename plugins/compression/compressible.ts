import { LRUCache } from 'lru-cache'
import mimeDb from 'mime-db'

/** Of what the database does not know, or knows otherwise. */
const ALSO = /^(?:application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines|json-seq|geo\+json-seq)|text\/[^;]+|[^;]+\+(?:json|xml|text|json-seq|cbor))$/

/** An app has a few; what it echoes of its clients has no end. */
const known = new LRUCache<string, boolean>({ max: 200 })
const LONGEST_KEPT = 200

/** @param contentType the field; undefined, and what is of no known type, is left as it is */
export function isCompressible (contentType: string | undefined): boolean {
  if (contentType === undefined) return false
  const present = known.get(contentType)
  if (present !== undefined) return present
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
  const compressible = ALSO.test(type) || (Object.hasOwn(mimeDb, type) && mimeDb[type]!.compressible === true)
  if (contentType.length <= LONGEST_KEPT) known.set(contentType, compressible)
  return compressible
}
