/** What is read of a pg pool; `pg.Pool` is one. */
export interface PgPool {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  readonly options: { readonly max?: number | undefined }
  on (event: 'error', listener: (error: Error) => void): unknown
  off (event: 'error', listener: (error: Error) => void): unknown
  listeners (event: 'error'): unknown[]
}

export interface PoolStatus {
  /** Connections open now. */
  size: number
  /** Of those, the ones nobody holds. */
  idle: number
  /** Callers queued for a connection. */
  waiting: number
  /** The most connections the pool opens. */
  max: number
  /** Idle connections that broke since the start. */
  errors: number
}

/**
 * One pool under watch. Listens to its `error` event: without a listener, Node ends the process
 * when the server drops an idle connection (node-postgres documentation, "Pool: Events: error").
 */
export class PoolWatch {
  readonly #pool: PgPool
  readonly #onError: (error: Error) => void
  #errors = 0

  constructor (pool: PgPool, onError: (error: Error) => void) {
    this.#pool = pool
    this.#onError = (error) => {
      this.#errors++
      onError(error)
    }
    pool.on('error', this.#onError)
  }

  status (): PoolStatus {
    const { totalCount, idleCount, waitingCount, options } = this.#pool
    // pg-pool's own default is 10.
    return { size: totalCount, idle: idleCount, waiting: waitingCount, max: options.max ?? 10, errors: this.#errors }
  }

  /**
   * Stops watching. The pool belongs to the host, which may end it after us, or use it on: one listener that does nothing
   * stays, because without any a connection that breaks would still end the process. Nothing that the pool tells says
   * when its last connection has gone: it counts those that are ending as gone.
   */
  close (): void {
    if (!this.#pool.listeners('error').includes(ignore)) this.#pool.on('error', ignore)
    this.#pool.off('error', this.#onError)
  }
}

export function isPgPool (value: unknown): value is PgPool {
  const pool = value as Partial<PgPool> | null | undefined
  return typeof pool === 'object' && pool !== null && typeof pool.totalCount === 'number' &&
    typeof pool.idleCount === 'number' && typeof pool.waitingCount === 'number' &&
    typeof pool.on === 'function' && typeof pool.off === 'function' && typeof pool.listeners === 'function' &&
    typeof pool.options === 'object' && pool.options !== null
}

function ignore (): void {}
