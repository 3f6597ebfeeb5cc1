import mimeDb from 'mime-db'
import { remembered } from './remembered.js'

/** Of what the database does not know, or knows otherwise. */
const ALSO = /^(?:application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines|json-seq|geo\+json-seq)|text\/[^;]+|[^;]+\+(?:json|xml|text|json-seq|cbor))$/

/** @param contentType the field; undefined, and what is of no known type, is left as it is */
export function isCompressible (contentType: string | undefined): boolean {
  return contentType !== undefined && gains(contentType)
}

const gains = remembered((contentType) => {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
  return ALSO.test(type) || (Object.hasOwn(mimeDb, type) && mimeDb[type]!.compressible === true)
})
