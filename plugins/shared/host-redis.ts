import type { FastifyInstance } from 'fastify'
import { string } from './options.js'
import type { RedisClient } from './redis-client.js'

/** The option `prefix`. Braces would put every key of the app into one Cluster slot; with a colon, two prefixes could share a key. */
export const prefixOption = string('headroom', { pattern: /^[^{}:\s]+$/, expected: 'a non-empty string without spaces, braces and colons' })

/** `app.redis`, where the host has one that can be used. */
export function redisOfHost (app: FastifyInstance, isFit: (value: unknown) => value is RedisClient): RedisClient | undefined {
  const client: unknown = app.hasDecorator('redis') ? (app as { redis?: unknown }).redis : undefined
  return isFit(client) ? client : undefined
}
