import type { Notice } from '../../plugins/shared/notice.js'
import type { RedisClient } from '../../plugins/shared/redis-client.js'
import { RedisCommands } from '../../plugins/shared/redis-commands.js'
import { RedisTier } from '../../plugins/shared/redis-tier.js'
import { freshPrefix } from '../cache/build-app.js'

/** A tier under a prefix of its own unless one is given, patient with a busy machine. */
export function buildRedisTier (
  { client, base, memoryOfDeletes = 60_000, now = Date.now, prefix = freshPrefix(base) }: { client: RedisClient, base: string, memoryOfDeletes?: number, now?: () => number, prefix?: string }
) {
  const keyOf = (key: string) => `${prefix}:key:${encodeURIComponent(key)}`
  const tagKeyOf = (tag: string) => `${prefix}:tag:${encodeURIComponent(tag)}`
  const channel = `${prefix}:channel`
  const tier = new RedisTier({
    commands: new RedisCommands({ client, timeout: 10_000 }),
    keys: { value: keyOf, lease: (valueKey) => `${prefix}:lease:{${valueKey}}`, done: (valueKey, write) => `${prefix}:done:{${valueKey}}${write}`, tag: tagKeyOf },
    channel,
    noticeOf: (key) => noticeOf(`message for ${key}`),
    memoryOfDeletes,
    now
  })
  return { tier, prefix, keyOf, tagKeyOf, channel }
}

/** A notice of which nobody needs to know whether it went out. */
export function noticeOf (text: string): Notice {
  return { text, sent () {}, failed () {} }
}
