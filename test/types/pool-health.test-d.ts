import { expectTypeOf } from 'expect-type'
import type { FastifyContextConfig, FastifyInstance } from 'fastify'
import type { Advice, Holder, Pool, PoolHealth, PoolHealthOptions, PoolHealthRouteOptions, PoolStatus, QueryResult } from 'fastify-headroom/pool-health'
import mongoose from 'mongoose'
import pg from 'pg'

declare const app: FastifyInstance
declare const client: mongoose.mongo.MongoClient

// Pools of pg, and whatever has a MongoClient, side by side.
void ({ pools: { main: new pg.Pool(), reads: app.pg.pool } } satisfies PoolHealthOptions)
void ({ pools: { mongo: client } } satisfies PoolHealthOptions)
void ({ pools: { mongo: mongoose.connection, other: mongoose.createConnection(), all: mongoose } } satisfies PoolHealthOptions)
void ({ pools: { main: new pg.Pool(), mongo: client }, leakThreshold: '10s', destroyLeaked: false, slowHold: 100, deadline: '250ms', logInterval: false, checkSettings: false, global: true, decorateAs: 'pools' } satisfies PoolHealthOptions)
// @ts-expect-error one connection is no pool
void ({ pools: { main: new pg.Client() } } satisfies PoolHealthOptions)
// @ts-expect-error neither is a URL
void ({ pools: { main: 'postgres://localhost' } } satisfies PoolHealthOptions)
// @ts-expect-error a pool has a name
void ({ pools: new pg.Pool() } satisfies PoolHealthOptions)
// @ts-expect-error true for how long
void ({ destroyLeaked: true } satisfies PoolHealthOptions)
// @ts-expect-error a misspelt option
void ({ leakTreshold: '10s' } satisfies PoolHealthOptions)

// A route's own.
void ({ poolHealth: { deadline: '250ms', pool: 'mongo' } } satisfies FastifyContextConfig)
void ({ poolHealth: { deadline: 250 } } satisfies FastifyContextConfig)
void ({ poolHealth: true } satisfies FastifyContextConfig)
void ({ poolHealth: false } satisfies FastifyContextConfig)
expectTypeOf<FastifyContextConfig['poolHealth']>().toEqualTypeOf<PoolHealthRouteOptions | boolean | undefined>()
// @ts-expect-error a misspelt option
void ({ poolHealth: { dedline: '250ms' } } satisfies FastifyContextConfig)
// @ts-expect-error what belongs to the plugin
void ({ poolHealth: { leakThreshold: '10s' } } satisfies FastifyContextConfig)
// @ts-expect-error a value of another type
void ({ poolHealth: '250ms' } satisfies FastifyContextConfig)

expectTypeOf(app.poolHealth).toEqualTypeOf<PoolHealth>()
expectTypeOf(app.poolHealth.status()).toEqualTypeOf<Record<string, PoolStatus>>()
expectTypeOf(app.poolHealth.advise()).toEqualTypeOf<Record<string, Advice>>()
expectTypeOf(app.poolHealth.isReady()).toEqualTypeOf<Promise<boolean>>()
// There may be no pool of that name.
expectTypeOf(app.poolHealth.pools.main).toEqualTypeOf<Pool | undefined>()
expectTypeOf(app.poolHealth.pools.main!.holders()).toEqualTypeOf<Holder[]>()
expectTypeOf(app.poolHealth.pools.main!.predictedWait()).toEqualTypeOf<number>()
expectTypeOf<Advice['verdict']>().toEqualTypeOf<'away' | 'leak' | 'too small' | 'slow query' | 'over-provisioned' | 'healthy'>()

// The caller says what a row is.
expectTypeOf(app.poolHealth.query<{ now: Date }>('SELECT now()')).toEqualTypeOf<Promise<QueryResult<{ now: Date }>>>()
void app.poolHealth.query({ text: 'SELECT $1::int', values: [7] })
void app.poolHealth.query('SELECT $1::int', [7], { pool: 'reads' })
// @ts-expect-error a misspelt option
void app.poolHealth.query('SELECT 1', [], { pools: 'reads' })
// @ts-expect-error values are a list
void app.poolHealth.query('SELECT $1::int', 7)
