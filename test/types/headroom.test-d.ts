import { expectTypeOf } from 'expect-type'
import type { FastifyInstance } from 'fastify'
import headroom, { type CacheOptions, type HeadroomOptions, type PoolHealthOptions, type SlowRequestOptions } from 'fastify-headroom'
import type { PoolStatus } from 'fastify-headroom/pool-health'
import { Pool } from 'pg'

declare const app: FastifyInstance

// Every technique is switched, or given its own options.
expectTypeOf<HeadroomOptions['cache']>().toEqualTypeOf<CacheOptions | boolean | undefined>()
expectTypeOf<HeadroomOptions['poolHealth']>().toEqualTypeOf<PoolHealthOptions | boolean | undefined>()
expectTypeOf<HeadroomOptions['slowRequest']>().toEqualTypeOf<SlowRequestOptions | boolean | undefined>()

app.register(headroom)
app.register(headroom, { cache: false, slowRequest: { threshold: '250ms' }, poolHealth: { pools: { main: new Pool() } } })
// @ts-expect-error a misspelt technique
app.register(headroom, { cahce: false })
// @ts-expect-error an option that the technique does not have
app.register(headroom, { cache: { size: '8mb' } })
// @ts-expect-error not a pool
app.register(headroom, { poolHealth: { pools: { main: 'postgres' } } })

expectTypeOf(app.poolHealth.status()).toEqualTypeOf<Record<string, PoolStatus>>()
