import { StatementError } from './errors.js'

/** What of pg's connection is used: it is not in pg's types, but what pg-cursor, pg-query-stream and pg-copy-streams are made of. */
export interface Connection {
  readonly stream: ConnectionStream
  parse (query: { text: string }): void
  /** @param config of what is asked for in binary, all of it is */
  bind (config: { values?: readonly unknown[], binary?: boolean }): void
  describe (what: { type: 'S', name: string }): void
  execute (portal: { rows?: number }): void
  flush (): void
  sync (): void
}

export interface ConnectionStream {
  readonly remoteAddress?: string
  readonly encrypted?: boolean
  pause (): unknown
  resume (): unknown
  destroy (): unknown
  /** pg's parser is the one that there is. */
  rawListeners (event: 'data'): DataListener[]
  on (event: 'data', listener: DataListener): unknown
  off (event: 'data', listener: DataListener): unknown
}

export type DataListener = (bytes: Buffer) => void

/**
 * What a client of pg runs in the place of a query. It is told of all that comes from the database until that is ready for the next
 * one, which it is told only where there was no error.
 */
export interface Submittable {
  submit (connection: Connection): void
  handleRowDescription? (message: { fields: Array<{ name: string, dataTypeID: number }> }): void
  handleDataRow? (message: { fields: Array<string | null> }): void
  handleCopyData? (message: { chunk: Buffer }): void
  handlePortalSuspended? (): void
  handleCommandComplete? (): void
  handleReadyForQuery (): void
  /** Of the database, or of the connection. */
  handleError (error: Error): void
}

/**
 * What pg wants of what it runs. Its own timeout, which a pool can have, would end it without the database knowing of it: one as long
 * as a timer can be stands in its place, which pg clears when it has been called back.
 */
export class Called {
  readonly query_timeout = 2 ** 31 - 1
  /** pg puts its own around it. */
  callback: () => void = () => {}
}

/** SQLSTATE syntax_error. */
const SYNTAX = '42601'

/** Alone it was right; as a part of a query it is not: `SHOW`, or a comment behind a semicolon. */
export function partOfQueryError (error: Error): Error {
  return (error as { code?: unknown }).code === SYNTAX ? new StatementError('it cannot be a part of a query', { cause: error }) : error
}

/** Where a statement is what pg knows as a query. */
interface QueryClass {
  new (config: { text: string, values: readonly unknown[] }): { prepare (connection: object): void }
}

/**
 * What pg would send for values: only its own queries know how they are made, and they tell it to a connection alone.
 *
 * @throws what pg throws of a value that cannot be sent
 */
export function parametersOf (client: object, values: readonly unknown[]): unknown[] {
  const { Query } = client.constructor as unknown as { Query: QueryClass }
  let parameters: unknown[] = []
  let failure: Error | undefined
  const nothing = (): void => {}
  const query = new Query({ text: 'SELECT', values })
  Object.assign(query, { callback: (error: Error) => { failure = error } })
  query.prepare({
    bind ({ values, valueMapper = (value) => value }: { values: unknown[], valueMapper?: (value: unknown) => unknown }) {
      parameters = values.map((value) => valueMapper(value))
    },
    parse: nothing,
    describe: nothing,
    execute: nothing,
    flush: nothing,
    sync: nothing,
    close: nothing,
    parsedStatements: {},
    submittedNamedStatements: {}
  })
  if (failure !== undefined) throw failure
  return parameters
}
