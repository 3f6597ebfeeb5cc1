import { ABSENT, open, sealTombstone, sealValue, STAMP_BYTES, stampOf, type Lifetime, type Opened } from './envelope.js'
import { UNLESS_LATE, type RedisCommands } from './redis-commands.js'

export interface RedisTierOptions {
  commands: RedisCommands
  /** The key in Redis for a key of the cache. */
  keyOf: (key: string) => string
  /** The pub/sub channel on which a write or a delete is told to the other processes. */
  channel: string
  /** Milliseconds that a delete is remembered: what was read before it must have been written, or dropped, by then. */
  memoryOfDeletes: number
}

const WRITE_IF_UNCHANGED = `${UNLESS_LATE}
  if redis.call('GETRANGE', KEYS[1], 0, ${STAMP_BYTES - 1}) ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
`
const WRITE_AND_TELL = `${UNLESS_LATE}
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('PUBLISH', ARGV[3], ARGV[4])
  return 1
`
// A Redis that is full takes no tombstone, but it must still lose the value.
const DELETE_AND_TELL = `${UNLESS_LATE}
  local set = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  if type(set) == 'table' and set.err then redis.call('DEL', KEYS[1]) end
  redis.call('PUBLISH', ARGV[3], ARGV[4])
  return 1
`

export type RedisRead = (Opened | { readonly kind: 'absent' }) & { readonly stamp: Buffer }

/** Values that all processes share. Every method rejects in bounded time rather than wait for Redis. */
export class RedisTier {
  readonly #options: RedisTierOptions

  constructor (options: RedisTierOptions) {
    this.#options = options
  }

  /** Whether Redis answers, as far as is known. */
  get available (): boolean {
    return this.#options.commands.available
  }

  /** @returns what stands there, with the stamp to give to `writeIfUnchanged` */
  async read (key: string): Promise<RedisRead> {
    const envelope = await this.#options.commands.read((client) => client.getBuffer(this.#options.keyOf(key)))
    if (envelope === null) return { kind: 'absent', stamp: ABSENT }
    return { ...open(envelope), stamp: stampOf(envelope) }
  }

  /** Writes unless anything was written, or deleted, since the stamp was read. @returns whether it wrote */
  async writeIfUnchanged (key: string, stamp: Buffer, bytes: Uint8Array, lifetime: Lifetime): Promise<boolean> {
    const { commands, keyOf } = this.#options
    return await commands.write(WRITE_IF_UNCHANGED, [keyOf(key)], [stamp, sealValue(bytes, lifetime), this.#retention(lifetime.ttl)]) === 1
  }

  /** Writes whatever stands there, and publishes `message` in the same step. */
  async write (key: string, bytes: Uint8Array, lifetime: Lifetime, message: string): Promise<void> {
    await this.#tell(WRITE_AND_TELL, key, sealValue(bytes, lifetime), this.#retention(lifetime.ttl), message)
  }

  /** Leaves a tombstone, and publishes `message` in the same step. */
  async delete (key: string, message: string): Promise<void> {
    await this.#tell(DELETE_AND_TELL, key, sealTombstone(), this.#retention(0), message)
  }

  async #tell (script: string, key: string, envelope: Buffer, retention: number, message: string): Promise<void> {
    const { commands, keyOf, channel } = this.#options
    await commands.write(script, [keyOf(key)], [envelope, retention, channel, message])
  }

  /** Longer than the value lives: while an older load may still be running, its stamp must not match an empty key. */
  #retention (ttl: number): number {
    return Math.ceil(Math.max(ttl, this.#options.memoryOfDeletes))
  }
}
