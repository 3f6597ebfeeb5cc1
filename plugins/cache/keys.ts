import { createHash } from 'node:crypto'
import { ANY_TAG, EVERYTHING } from '../shared/redis-tags.js'
import type { RedisKeys } from '../shared/redis-tier.js'

const LONGEST = 256

/**
 * A key as it stands in Redis, below the app's prefix. Distinct keys stay distinct: `{}` is encoded because it would
 * choose the Cluster slot, `#` because it marks a hash, and what is long or not well-formed UTF-16 is hashed.
 */
export function redisKey (prefix: string, key: string): string {
  return `${prefix}:cache:${encode(key)}`
}

/** Where things stand in Redis. A prefix holds no colon, and the key of a value no brace: no two of these are ever the same. */
export function redisKeys (prefix: string): RedisKeys {
  const own = new Map([EVERYTHING, ANY_TAG].map((tag) => [tag, redisTagKey(prefix, tag)]))
  return {
    value: (key) => redisKey(prefix, key),
    lease: (valueKey) => `${prefix}:cache-lease:{${valueKey}}`,
    done: (valueKey, write) => `${prefix}:cache-done:{${valueKey}}${write}`,
    tag: (tag) => own.get(tag) ?? redisTagKey(prefix, tag)
  }
}

function redisTagKey (prefix: string, tag: string): string {
  return `${prefix}:cache-tag:${encode(tag)}`
}

/** Visible ASCII without the characters that are encoded: what most keys are made of. */
const PLAIN = new RegExp(`^[!"$&-z|~]{1,${LONGEST}}$`)

function encode (key: string): string {
  if (PLAIN.test(key)) return key
  const encoded = key.replace(/[\0%{}#]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
  // Lone surrogates all become U+FFFD in UTF-8: two such keys would share an entry.
  return key.isWellFormed() && Buffer.byteLength(encoded) <= LONGEST ? encoded : `#${digest(key)}`
}

function digest (key: string): string {
  return createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('base64url')
}
