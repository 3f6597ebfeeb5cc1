import { withResolvers } from '../shared/with-resolvers.js'
import { dirtOf, isBroken, type Dirt } from './dirt.js'
import type { PgClient } from '../shared/pg-pool.js'

/** Milliseconds for a transaction to be rolled back; after that it is not worth its connection. */
const PATIENCE = 1_000

/**
 * Undoes what a client was given back with: waits for queries that still run, and rolls a transaction back. Never rejects.
 *
 * @param patience milliseconds that a query may run on
 * @returns what was found in the end, undefined where the query that ran left nothing, or its connection broke; and whether the client can be used on
 */
export async function cleaned (client: PgClient, dirt: Dirt, patience: number): Promise<{ found: Dirt | undefined, isClean: boolean }> {
  // Nothing more is answered on this connection; to close the cursor is only its owner's to do.
  if (dirt === 'open cursor') return { found: dirt, isClean: false }
  const { promise: interrupted, resolve } = withResolvers<'broken' | 'late'>()
  const broken = (): void => { resolve('broken') }
  // Without a listener the process would end: the pool listens only to those that it has.
  client.on('error', broken)
  const late = (): void => { resolve('late') }
  let timer = setTimeout(late, dirt === 'running query' ? patience : PATIENCE).unref()
  try {
    if (dirt === 'running query') {
      const how = await Promise.race([drained(client), interrupted])
      if (how === 'late') return { found: dirt, isClean: false }
      // The holder may well have waited for it: a query fails before its connection is seen to be lost.
      if (how === 'broken') return { found: undefined, isClean: false }
      const left = dirtOf(client)
      if (left === undefined) return { found: undefined, isClean: true }
      dirt = left
      clearTimeout(timer)
      timer = setTimeout(late, PATIENCE).unref()
    }
    await Promise.race([client.query('ROLLBACK'), interrupted])
    return { found: dirt, isClean: !isBroken(client) && dirtOf(client) === undefined }
  } catch {
    return { found: dirt, isClean: false }
  } finally {
    clearTimeout(timer)
    client.off('error', broken)
  }
}

async function drained (client: PgClient): Promise<void> {
  await new Promise<void>((resolve) => {
    const drain = (): void => {
      client.off('drain', drain)
      resolve()
    }
    client.on('drain', drain)
  })
}
