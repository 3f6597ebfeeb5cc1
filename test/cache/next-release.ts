import { crc32 } from 'node:zlib'
import type { Redis } from 'ioredis'
import type { RedisClient } from '../../plugins/cache/index.js'
import { sealTombstone, STAMP_BYTES } from '../../plugins/shared/envelope.js'
import { altered } from './build-app.js'

const CHECKSUM_BYTES = 4
const THIS_VERSION = sealTombstone()[1]!
export const NEXT_VERSION = THIS_VERSION + 1

/**
 * Makes the next release of this one: what it leaves in Redis is of the next version, with nothing where it was but what is
 * promised for all versions. It reads this version too.
 */
export function nextRelease (client: Redis): RedisClient {
  /** Of the states of the next version that it has read or written: by these it knows the stamps of which it makes use. */
  const tokens = new Set<string>()

  function reads (found: Buffer | null): Buffer | null {
    if (found === null || found[1] !== NEXT_VERSION) return found
    tokens.add(tokenOf(found))
    return turned(found, THIS_VERSION)
  }

  function sends (given: string | Buffer | number): string | Buffer | number {
    if (!Buffer.isBuffer(given) || given.length < STAMP_BYTES) return given
    if (given.length > STAMP_BYTES) {
      tokens.add(tokenOf(given))
      return turned(given, NEXT_VERSION)
    }
    return tokens.has(tokenOf(given)) ? withVersion(given, NEXT_VERSION) : given
  }

  return altered(client, {
    getBuffer: async (key) => reads(await client.getBuffer(key)),
    mgetBuffer: async (...keys) => (await client.mgetBuffer(...keys)).map(reads),
    eval: async (script, count, ...args) => await client.eval(script, count, ...args.slice(0, count), ...args.slice(count).map(sends))
  })
}

function tokenOf (state: Buffer): string {
  return state.toString('hex', 4, STAMP_BYTES)
}

function withVersion (state: Buffer, version: number): Buffer {
  const copy = Buffer.from(state)
  copy[1] = version
  return copy
}

/** What stands behind the stamp is laid out in another way; the same again leads back. */
function turned (envelope: Buffer, version: number): Buffer {
  const end = envelope.length - CHECKSUM_BYTES
  const copy = withVersion(envelope, version)
  for (let at = STAMP_BYTES; at < end; at++) copy[at] = ~copy[at]! & 0xff
  copy.writeUInt32LE(crc32(copy.subarray(0, end)), end)
  return copy
}
