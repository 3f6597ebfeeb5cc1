import type { PgClient } from '../shared/pg-pool.js'

/** What a client was given back with, that its next user would have found. */
export type Dirt = 'open transaction' | 'failed transaction' | 'open cursor' | 'running query'

/** pg's own state, where it can be read: https://node-postgres.com/apis/client has no name for it. */
interface ClientState {
  readyForQuery?: boolean
  _queryable?: boolean
  _ended?: boolean
  _activeQuery?: { read?: unknown, close?: unknown, destroy?: unknown, state?: unknown } | null
  _queryQueue?: unknown[]
  _sentQueryQueue?: unknown[]
  connection?: { on? (event: 'readyForQuery', listener: (message: { status: string }) => void): void }
}

/** Whether its connection is lost: the pool keeps it no longer, and nothing that was on it is left. */
export function isBroken (client: PgClient): boolean {
  const { _queryable, _ended } = client as PgClient & ClientState
  return _queryable === false || _ended === true
}

/** Of clients that do not tell it. */
const statuses = new WeakMap<PgClient, string>()

/** pg tells a client's transaction status since 8.21; before, the server's own word has to be heard. */
export function followTransactions (client: PgClient): void {
  if (typeof client.getTransactionStatus === 'function') return
  const { connection } = client as PgClient & ClientState
  if (typeof connection?.on !== 'function') return
  connection.on('readyForQuery', ({ status }) => { statuses.set(client, status) })
}

/** Undefined: the client is as the next user expects it, or there is none for whom. */
export function dirtOf (client: PgClient): Dirt | undefined {
  if (isBroken(client)) return undefined
  const { readyForQuery, _activeQuery: active, _queryQueue: queued, _sentQueryQueue: sent } = client as PgClient & ClientState
  if (readyForQuery === false || (queued !== undefined && queued.length > 0) || (sent !== undefined && sent.length > 0)) {
    return isOpenCursor(active) ? 'open cursor' : 'running query'
  }
  switch (client.getTransactionStatus?.() ?? statuses.get(client)) {
    case 'T': return 'open transaction'
    case 'E': return 'failed transaction'
    default: return undefined
  }
}

/** pg-cursor, pg-query-stream: nothing else is answered until somebody reads it to its end. One that failed or is being closed ends by itself. */
function isOpenCursor (active: ClientState['_activeQuery']): boolean {
  return typeof active?.read === 'function' && (typeof active.close === 'function' || typeof active.destroy === 'function') && active.state !== 'done' && active.state !== 'error'
}
