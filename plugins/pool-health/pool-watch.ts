/** What is read of a pg pool; `pg.Pool` is one. */
export interface PgPool {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  readonly options: { readonly max?: number | undefined }
  on (event: 'error' | 'remove', listener: (error: Error) => void): unknown
  off (event: 'error' | 'remove', listener: (error: Error) => void): unknown
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
   * Stops watching. The pool itself belongs to the host, which may close it after us: while it has
   * connections the listener stays, because one of them breaking would end the process.
   */
  close (): void {
    const pool = this.#pool
    const release = (): void => {
      if (pool.totalCount > 0) return
      pool.off('error', this.#onError)
      pool.off('remove', release)
    }
    pool.on('remove', release)
    release()
  }
}

export function isPgPool (value: unknown): value is PgPool {
  const pool = value as Partial<PgPool> | null | undefined
  return typeof pool === 'object' && pool !== null && typeof pool.totalCount === 'number' &&
    typeof pool.idleCount === 'number' && typeof pool.waitingCount === 'number' &&
    typeof pool.on === 'function' && typeof pool.off === 'function' && typeof pool.options === 'object'
}
