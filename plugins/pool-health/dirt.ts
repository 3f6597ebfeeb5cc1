import type { PgClient } from './pg-pool.js'

/** What a client was given back with, that its next user would have found. */
export type Dirt = 'open transaction' | 'failed transaction' | 'open cursor' | 'running query'

/** pg's own state, where it can be read: https://node-postgres.com/apis/client has no name for it. */
interface ClientState {
  readyForQuery?: boolean
  _activeQuery?: { read?: unknown, close?: unknown } | null
  _queryQueue?: unknown[]
  _sentQueryQueue?: unknown[]
}

/** Undefined: the client is as the next user expects it. */
export function dirtOf (client: PgClient): Dirt | undefined {
  const { readyForQuery, _activeQuery: active, _queryQueue: queued, _sentQueryQueue: sent } = client as PgClient & ClientState
  if (readyForQuery === false || (queued !== undefined && queued.length > 0) || (sent !== undefined && sent.length > 0)) {
    // pg-cursor: nothing else is answered until somebody reads it to its end.
    return typeof active?.read === 'function' && typeof active.close === 'function' ? 'open cursor' : 'running query'
  }
  switch (client.getTransactionStatus?.()) {
    case 'T': return 'open transaction'
    case 'E': return 'failed transaction'
    default: return undefined
  }
}
