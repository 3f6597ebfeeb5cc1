import { withDeadline } from './deadline.js'
import { ABSENT, open, sealTombstone, sealValue, STAMP_BYTES, stampOf, type Opened } from './envelope.js'
import { isReady, RedisScript, type RedisClient } from './redis-client.js'

export interface RedisTierOptions {
  client: RedisClient
  /** The key in Redis for a key of the cache. */
  keyOf: (key: string) => string
  /** The pub/sub channel on which a write or a delete is told to the other processes. */
  channel: string
  /** Milliseconds that a command may take. */
  commandTimeout: number
  /** Milliseconds that a delete is remembered: a load that took longer keeps nothing here. */
  longestLoad: number
}

/** Thrown, without a command being sent, while the client is not connected. */
export class NotConnectedError extends Error {
  override readonly name = 'NotConnectedError'
}

const WRITE_IF_UNCHANGED = new RedisScript(`
  if redis.call('GETRANGE', KEYS[1], 0, ${STAMP_BYTES - 1}) ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
`)
const WRITE_AND_TELL = new RedisScript(`
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('PUBLISH', ARGV[3], ARGV[4])
  return 1
`)

export type RedisRead = (Opened | { readonly kind: 'absent' }) & { readonly stamp: Buffer }

/** Values that all processes share. Every method rejects within `commandTimeout` rather than wait for Redis. */
export class RedisTier {
  readonly #options: RedisTierOptions

  constructor (options: RedisTierOptions) {
    this.#options = options
  }

  /** Whether commands would be sent at all. */
  get connected (): boolean {
    return isReady(this.#options.client)
  }

  /** @returns what stands there, with the stamp to give to `writeIfUnchanged` */
  async read (key: string): Promise<RedisRead> {
    const envelope = await this.#command((client) => client.getBuffer(this.#options.keyOf(key)))
    if (envelope === null) return { kind: 'absent', stamp: ABSENT }
    return { ...open(envelope), stamp: stampOf(envelope) }
  }

  /** Writes unless anything was written, or deleted, since the stamp was read. @returns whether it wrote */
  async writeIfUnchanged (key: string, stamp: Buffer, bytes: Uint8Array, ttl: number, expiresAt: number): Promise<boolean> {
    const written = await this.#command((client) => WRITE_IF_UNCHANGED.run(client, [this.#options.keyOf(key)],
      [stamp, sealValue(bytes, expiresAt), this.#retention(ttl)]))
    return written === 1
  }

  /** Writes whatever stands there, and publishes `message` in the same step. */
  async write (key: string, bytes: Uint8Array, ttl: number, expiresAt: number, message: string): Promise<void> {
    await this.#writeAndTell(key, sealValue(bytes, expiresAt), this.#retention(ttl), message)
  }

  /** Leaves a tombstone, and publishes `message` in the same step. */
  async delete (key: string, message: string): Promise<void> {
    await this.#writeAndTell(key, sealTombstone(), this.#options.longestLoad, message)
  }

  async #writeAndTell (key: string, envelope: Buffer, retention: number, message: string): Promise<void> {
    await this.#command((client) => WRITE_AND_TELL.run(client, [this.#options.keyOf(key)],
      [envelope, retention, this.#options.channel, message]))
  }

  /** Longer than the value lives: while an older load may still be running, its stamp must not match an empty key. */
  #retention (ttl: number): number {
    return Math.ceil(Math.max(ttl, this.#options.longestLoad))
  }

  async #command<T> (send: (client: RedisClient) => Promise<T>): Promise<T> {
    const { client, commandTimeout } = this.#options
    if (!isReady(client)) throw new NotConnectedError(`the Redis client is not connected (${client.status})`)
    return await withDeadline(send(client), commandTimeout)
  }
}
