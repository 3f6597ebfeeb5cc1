import { expectTypeOf } from 'expect-type'
import type { FastifyInstance } from 'fastify'
import type { CacheOptions, WriteResult } from 'fastify-headroom/cache'

declare const app: FastifyInstance

interface User { id: number, name: string }
declare function findUser (id: number): Promise<User>
declare function findUserOrNull (id: number): Promise<User | null>
declare const user: User

// The loader says what the caller gets.
expectTypeOf(app.cache.getOrSet('user:1', () => findUser(1))).toEqualTypeOf<Promise<User>>()
expectTypeOf(app.cache.getOrSet('user:1', async () => user)).toEqualTypeOf<Promise<User>>()
expectTypeOf(app.cache.getOrSet('user:1', () => user)).toEqualTypeOf<Promise<User>>()
expectTypeOf(app.cache.getOrSet('user:1', () => findUserOrNull(1))).toEqualTypeOf<Promise<User | null>>()
expectTypeOf(app.cache.getOrSet<User>('user:1', () => user)).toEqualTypeOf<Promise<User>>()
// @ts-expect-error the loader gives something else than was asked for
void app.cache.getOrSet<User>('user:1', () => 'a user')

void app.cache.getOrSet('user:1', ({ ttl }) => { ttl('5m'); return user }, { ttl: '1m' })
// @ts-expect-error a misspelt option
void app.cache.getOrSet('user:1', () => user, { tll: '1m' })

// Nothing is known of a stored value unless the caller says so, and it may be gone.
expectTypeOf(app.cache.get('user:1')).toEqualTypeOf<Promise<unknown>>()
expectTypeOf(app.cache.get<User>('user:1')).toEqualTypeOf<Promise<User | undefined>>()
expectTypeOf(app.cache.delete('user:1')).toEqualTypeOf<Promise<WriteResult>>()

expectTypeOf<{}>().toExtend<CacheOptions>()
expectTypeOf<{ redis: false, memory: { maxBytes: '8mb' }, ttl: '1m', prefix: 'shop' }>().toExtend<CacheOptions>()
expectTypeOf<{ ttl: boolean }>().not.toExtend<CacheOptions>()
