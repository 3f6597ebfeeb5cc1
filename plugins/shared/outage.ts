/** Classes of SQLSTATE: connection exceptions, insufficient resources, the operator's intervention (shutdown, starting up). */
const SQL_CLASSES = new Set(['08', '53', '57'])

/** SQLSTATE of one that has become a replica. */
const READ_ONLY = '25006'

/** In these classes, but of the statement itself: it was cancelled, by `statement_timeout` for one, or was not given all its parameters. */
const OF_STATEMENT = new Set(['57014', '08P01'])

const SYSTEM = /^E(?:CONNREFUSED|CONNRESET|CONNABORTED|TIMEDOUT|PIPE|HOSTUNREACH|NETUNREACH|NETDOWN|NOTFOUND|AI_AGAIN|MFILE|NFILE)$/

const NAMES = /^Mongo(?:Network|NetworkTimeout|ServerSelection|PoolCleared|PoolClosed|WaitQueueTimeout|TopologyClosed|NotConnected)(?:Error)?$/

/** Of pg and pg-pool, whose errors have neither code nor name of their own. */
const MESSAGES = /^(?:timeout exceeded when trying to connect|timeout expired|Connection terminated|Client has encountered a connection error|Cannot use a pool after calling end)/

export interface OutageOptions {
  sqlStates?: ReadonlySet<string>
  system?: boolean
}

/**
 * Whether a database is away, so that nothing is wrong with what it was asked: by the error, or its cause, of a system call, of
 * Postgres (https://www.postgresql.org/docs/current/errcodes-appendix.html) or of MongoDB.
 *
 * @param options.sqlStates of Postgres, that the caller takes for one too
 * @param options.system whether system calls count, which whatever else has a network can fail with. Default true.
 */
export function isOutage (error: unknown, options: OutageOptions = {}, depth = 0): boolean {
  const { sqlStates, system = true } = options
  for (; depth < 5 && typeof error === 'object' && error !== null; depth++) {
    const { code, name, message, cause, errors } = error as Record<string, unknown>
    if (typeof code === 'string' && ((system && SYSTEM.test(code)) || isSqlOutage(code) || sqlStates?.has(code) === true)) return true
    if (typeof name === 'string' && NAMES.test(name)) return true
    if (typeof message === 'string' && MESSAGES.test(message)) return true
    // One for each address that was tried.
    if (Array.isArray(errors) && errors.length > 0 && errors.every((one) => isOutage(one, options, depth + 1))) return true
    error = cause
  }
  return false
}

function isSqlOutage (code: string): boolean {
  return code.length === 5 && !OF_STATEMENT.has(code) && (SQL_CLASSES.has(code.slice(0, 2)) || code === READ_ONLY)
}
