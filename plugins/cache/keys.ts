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
  // Lone surrogates all become U+FFFD in UTF-8: two such keys would share an entry.
  if (!key.isWellFormed()) return `#${digest(Buffer.from(key, 'utf16le'))}`
  const encoded = key.replace(/[%{}#]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
  return Buffer.byteLength(encoded) > LONGEST ? `#${digest(key)}` : encoded
}

function digest (data: string | Buffer): string {
  return createHash('sha256').update(data).digest('base64url')
}
