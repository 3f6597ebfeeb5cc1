import { createHash } from 'node:crypto'

const LONGEST = 256

/**
 * A key as it stands in Redis, below the app's prefix. Distinct keys stay distinct: `{}` is encoded because it would
 * choose the Cluster slot, `#` because it marks a hash, and what is long or not well-formed UTF-16 is hashed.
 */
export function redisKey (prefix: string, key: string): string {
  return `${prefix}:cache:${encode(key)}`
}

function encode (key: string): string {
  const encoded = key.replace(/[%{}#]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
  // Lone surrogates all become U+FFFD in UTF-8: two such keys would share an entry.
  return key.isWellFormed() && Buffer.byteLength(encoded) <= LONGEST ? encoded : `#${digest(key)}`
}

function digest (key: string): string {
  return createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('base64url')
}
