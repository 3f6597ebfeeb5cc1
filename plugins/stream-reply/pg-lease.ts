import { DeadlineError as NoAnswerError, Deadlines } from '../shared/deadline.js'
import { holdLong, holdNoLonger } from '../shared/long-holds.js'
import { withResolvers } from '../shared/with-resolvers.js'
import { StatementError, UnavailableError } from './errors.js'
import { orAborted } from './or-aborted.js'
import { cancel, type Cancellable } from './pg-cancel.js'
import type { Connection, Submittable } from './pg-protocol.js'
import { DescribedStatement, type Column } from './pg-statement.js'
import type { DatabaseSource } from './source.js'

/** Milliseconds that the database has to cancel a query, or to be ready again; then its connection is closed. */
const PROMPT = 1_000

/** What of a pg pool is used. */
export interface LeasePool {
  connect (): Promise<LeasedClient>
  readonly options: object
}

export interface LeasedClient extends Cancellable {
  readonly connection: Connection & Cancellable['connection']
  query (text: string): Promise<unknown>
  query (query: Submittable): unknown
  getTypeParser (type: number, format: 'text'): (text: string) => unknown
  release (error?: Error | boolean): void
  on (event: 'error', listener: () => void): unknown
  off (event: 'error', listener: () => void): unknown
}

export interface LeaseOptions {
  /** Milliseconds that it waits for a connection. */
  acquireTimeout: number
  /** Milliseconds after which the database ends the statement by itself; 0: never. */
  statementTimeout: number
  /** How a query is ended that nobody waits for any more. */
  cancel: 'request' | 'destroy'
  /** Aborts while it waits for a connection, or the first rows. */
  signal: AbortSignal
}

/** A connection in the hands of one reply, in a transaction that can change nothing. Goes back to its pool once, whatever happens. */
export class PgLease {
  readonly client: LeasedClient
  readonly #pool: LeasePool
  readonly #options: LeaseOptions
  /** Of what is parsed the database locks the tables, which can take as long as a query. */
  #isDescribing = false
  #source: DatabaseSource | undefined
  #ended: Promise<void> | undefined

  /**
   * @throws UnavailableError where there is none in time
   * @throws the signal's reason
   */
  static async take (pool: LeasePool, options: LeaseOptions): Promise<PgLease> {
    const client = await checkedOut(pool, options)
    if ((client as Partial<LeasedClient>).connection === undefined) {
      client.release()
      throw new StatementError('the pool is of pg-native, whose clients read all rows of a query at once')
    }
    const lease = new PgLease(pool, client, options)
    try {
      await lease.#query(beginning(options.statementTimeout))
      return lease
    } catch (error) {
      await lease.end()
      throw error
    }
  }

  private constructor (pool: LeasePool, client: LeasedClient, options: LeaseOptions) {
    this.client = client
    this.#pool = pool
    this.#options = options
    // The pool listens to those only that it has. Whoever runs a query has the error too.
    client.on('error', ignore)
    holdLong(client)
  }

  /** @throws what the database says of it, or StatementError */
  async describe (text: string): Promise<Column[]> {
    const { promise, resolve, reject } = withResolvers<Column[]>()
    this.#isDescribing = true
    this.client.query(new DescribedStatement(text, (error, columns) => {
      this.#isDescribing = false
      if (error === undefined) resolve(columns)
      else reject(error)
    }))
    return await this.#unlessAborted(promise)
  }

  /** Begins to run it. What it waits for ends with the lease. */
  run<Started extends DatabaseSource & Submittable> (source: Started): Started {
    this.#source = source
    this.client.query(source)
    return source
  }

  /** Ends what runs, and gives the connection back: as it was, else closed. Never rejects; once, however often it is called. */
  end (): Promise<void> {
    this.#ended ??= this.#giveBack()
    return this.#ended
  }

  async #giveBack (): Promise<void> {
    const { client } = this
    try {
      const wasRunning = this.#isDescribing || this.#source?.isRunning === true
      this.#source?.stop()
      if (wasRunning) {
        if (this.#options.cancel === 'destroy') throw new Error('the query was not to be cancelled')
        await cancel(client, this.#pool.options, PROMPT)
      }
      // What a function of the statement may have set for the session is undone by that, too.
      await within(PROMPT, client.query('ROLLBACK'))
    } catch {
      this.#release(true)
      return
    }
    this.#release(false)
  }

  #release (isClosed: boolean): void {
    // What comes while it is closed, nobody wants.
    if (!isClosed) this.client.off('error', ignore)
    // Who watches the pool looks at what it was held for when it comes back.
    this.client.release(isClosed)
    holdNoLonger(this.client)
  }

  async #query (text: string): Promise<void> {
    await this.#unlessAborted(this.client.query(text))
  }

  async #unlessAborted<T> (work: Promise<T>): Promise<T> {
    return await orAborted(work, this.#options.signal)
  }
}

/** `BEGIN` and the timeouts of the session's own: how long a reply takes is up to who reads it. */
function beginning (statementTimeout: number): string {
  return `BEGIN READ ONLY; SET LOCAL statement_timeout = ${Math.ceil(statementTimeout)}; SET LOCAL idle_in_transaction_session_timeout = 0; ` +
    // Since PostgreSQL 17.
    "SELECT set_config('transaction_timeout', '0', true) WHERE current_setting('transaction_timeout', true) IS NOT NULL"
}

async function checkedOut (pool: LeasePool, { acquireTimeout, signal }: LeaseOptions): Promise<LeasedClient> {
  const connecting = pool.connect()
  try {
    return await orAborted(within(acquireTimeout, connecting), signal)
  } catch (error) {
    // It is nobody's when it comes.
    void connecting.then((client) => { client.release() }, ignore)
    throw error instanceof NoAnswerError ? new UnavailableError(`there was no connection within ${acquireTimeout} ms`) : error
  }
}

async function within<T> (milliseconds: number, work: Promise<T>): Promise<T> {
  const deadlines = new Deadlines(milliseconds)
  try {
    return await deadlines.limit(work)
  } finally {
    deadlines.close()
  }
}

function ignore (): void {}
