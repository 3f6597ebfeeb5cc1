import type { MongoSettings } from './settings-check.js'

/** What is used of a MongoClient. */
export interface MongoClient {
  readonly options: MongoSettings
  readonly topology?: { isConnected? (): boolean } | undefined
  db (name: string): { command (command: object, options?: object): Promise<unknown> }
  // As those of an EventEmitter, whose types these have to fit.
  on (event: any, listener: (...args: any[]) => void): unknown
  off (event: any, listener: (...args: any[]) => void): unknown
}

/** A MongoClient, or what has one: a connection of Mongoose, or Mongoose itself, whose `connection` is meant. */
export type MongoSource = MongoClient | { getClient (): unknown } | { connection: { getClient (): unknown } }

/** Undefined where there is none, or it is not connected, or not any more. */
export function mongoClientOf (source: unknown): MongoClient | undefined {
  const { getClient, connection } = (source ?? {}) as { getClient?: unknown, connection?: unknown }
  if (isMongoClient(source)) return source
  if (typeof getClient === 'function') return mongoClient(getClient.call(source))
  // Mongoose itself; a MongoClient has none.
  if (typeof connection === 'object' && connection !== null && connection !== source) return mongoClientOf(connection)
  return undefined
}

function mongoClient (value: unknown): MongoClient | undefined {
  return isMongoClient(value) ? value : undefined
}

function isMongoClient (value: unknown): value is MongoClient {
  const client = value as Partial<MongoClient> | null | undefined
  return typeof client === 'object' && client !== null && typeof client.db === 'function' && typeof client.on === 'function' &&
    typeof client.off === 'function' && typeof client.options === 'object' && client.options !== null && 'maxPoolSize' in client.options &&
    // It has one from its connect to its close; that servers are away does not make it unconnected.
    typeof client.topology === 'object' && client.topology.isConnected?.() !== false
}
