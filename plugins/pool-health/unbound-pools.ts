import type { FastifyInstance } from 'fastify'
import { hostPools } from '../shared/host-pools.js'
import { boundTo, currentContext } from '../shared/request-context.js'

/**
 * Lets `app.pg.connect` and `app.pg.query` come by whoever watches the pool: @fastify/postgres has bound the pool's methods as
 * they were when it was registered.
 */
export function unbindHostPools (app: FastifyInstance, watched: ReadonlySet<unknown>): void {
  for (const [, host] of hostPools(app)) {
    const { pool } = host
    if (!watched.has(pool)) continue
    host.connect = (...args: []) => pool.connect(...args)
    host.query = (...args: [string]) => pool.query(...args)
    const { transact } = host
    if (typeof transact !== 'function') continue
    // It calls back from the socket's context.
    host.transact = (...args: unknown[]) => {
      const context = currentContext()
      return Reflect.apply(transact, host, args.map((arg) => typeof arg === 'function' ? boundTo(context, arg as () => unknown) : arg)) as unknown
    }
  }
}
