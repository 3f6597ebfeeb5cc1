import fastifyRedis from '@fastify/redis'
import fp from 'fastify-plugin'
import { Redis } from 'ioredis'
import { setTimeout as delay } from 'node:timers/promises'
import type { AppOptions } from '../app.js'

/** How long the boot waits for Redis before it goes on without; the client goes on trying. */
const BOOT_WAIT = 1_000

/** How long the close waits for Redis to say goodbye. */
const QUIT_WAIT = 500

/**
 * `app.redis`. The client is made here and handed to @fastify/redis only when it is connected: with Redis away that
 * plugin would fail the boot after ten seconds, and with Redis hung its own quit would hold up the close.
 */
export default fp<AppOptions>(async (app, { redisUrl }) => {
  if (redisUrl === undefined) return
  const redis = new Redis(redisUrl, { connectTimeout: 2_000, retryStrategy: (attempt) => Math.min(50 * attempt, 500) })
  // Once for each outage, not for each attempt.
  let down = false
  const sayAway = (reason: string): void => {
    if (!down) app.log.warn(`Redis is away (${reason}); going on without it`)
    down = true
  }
  redis.on('error', ({ message }: Error) => { sayAway(message) })
  redis.on('ready', () => {
    if (down) app.log.warn('Redis is back')
    down = false
  })

  app.addHook('onClose', async () => {
    if (redis.status === 'ready') await Promise.race([redis.quit().catch(() => {}), delay(QUIT_WAIT, undefined, { ref: false })])
    redis.disconnect()
  })

  await Promise.race([new Promise((resolve) => { redis.once('ready', resolve) }), delay(BOOT_WAIT, undefined, { ref: false })])
  if (redis.status === 'ready') await app.register(fastifyRedis, { client: redis })
  else app.decorate('redis', redis as typeof app.redis)
  if (redis.status !== 'ready') sayAway('no answer yet')
}, { name: 'example-redis' })
