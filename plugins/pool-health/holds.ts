import type { RequestContext } from '../shared/request-context.js'
import { callSite, type CapturedStack } from './call-site.js'
import { sqlShape } from './sql-shape.js'

/** Who asked for a connection. */
export interface Asked {
  readonly stack: CapturedStack | undefined
  readonly context: RequestContext | undefined
  /** Of a query that takes and returns its connection itself. */
  readonly sql: string | undefined
}

/** A connection in somebody's hands. */
export interface Hold {
  /** On the clock of the watch, milliseconds. */
  readonly since: number
  /** Undefined for who went round the watch. */
  asked: Asked | undefined
  isReported: boolean
  /** It is on its way back: what its holder left is being undone. */
  isReturning: boolean
  /** Nobody has it: who asked for it did not wait so long. */
  isUnwanted: boolean
  /** Its holder has given it back … */
  isGivenBack: boolean
  /** … or it was taken away. */
  isTaken: boolean
  /** Gives it back to the pool as it is, or, where true is given, closes it. Where the driver has such a thing. */
  release: ((error?: Error | boolean) => void) | undefined
}

/** Who holds a connection, and for how long. */
export interface LeakReport {
  pool: string
  /** Milliseconds. */
  held: number
  /** Of the request that it was acquired for; absent outside of one. */
  method?: string
  route?: string
  requestId?: string
  /** Where it was acquired, in the application's own code: `/app/routes/users.js:12:30`. */
  site?: string
  stack?: string[]
  /** Of a query that takes and returns its connection itself, without its values. */
  sql?: string
}

/** Those who hold connections of the same call site. */
export interface Holder {
  /** The call site, else the statement, else the route; `unknown` for who went round the watch. */
  by: string
  connections: number
  /** Milliseconds that the oldest of them is held. */
  longest: number
}

/** The connections of one pool that are in use. */
export class Holds<Connection> {
  readonly #pool: string
  // In the order in which they were acquired.
  readonly #held = new Map<Connection, Hold>()

  constructor (pool: string) {
    this.#pool = pool
  }

  get size (): number {
    return this.#held.size
  }

  begin (connection: Connection, now: number): Hold {
    const hold: Hold = { since: now, asked: undefined, isReported: false, isReturning: false, isUnwanted: false, isGivenBack: false, isTaken: false, release: undefined }
    this.#held.set(connection, hold)
    return hold
  }

  of (connection: Connection): Hold | undefined {
    return this.#held.get(connection)
  }

  end (connection: Connection): Hold | undefined {
    const hold = this.#held.get(connection)
    if (hold !== undefined) this.#held.delete(connection)
    return hold
  }

  /** For how long each is held, milliseconds; the oldest first. */
  * ages (now: number): Generator<number> {
    for (const { since } of this.#held.values()) yield now - since
  }

  /** Those that are held for as long as `threshold` or longer. */
  * longerThan (threshold: number, now: number): Generator<Hold> {
    for (const hold of this.#held.values()) {
      if (now - hold.since < threshold) return
      if (!hold.isReturning) yield hold
    }
  }

  /** Who holds most connections, the greatest first. Formats a stack for each. */
  holders (now: number): Holder[] {
    const holders = new Map<string, Holder>()
    for (const hold of this.#held.values()) {
      const { site, sql, route, held } = this.report(hold, now)
      const by = site ?? sql ?? route ?? 'unknown'
      const holder = holders.get(by) ?? { by, connections: 0, longest: held }
      holder.connections++
      holders.set(by, holder)
    }
    return [...holders.values()].sort((a, b) => b.connections - a.connections || b.longest - a.longest)
  }

  report ({ since, asked }: Hold, now: number): LeakReport {
    const request = asked?.context?.request
    return {
      pool: this.#pool,
      held: Math.round(now - since),
      // The pattern, never the URL.
      ...(request && { method: request.method, route: request.routeOptions.url ?? 'other', requestId: request.id }),
      ...(asked?.stack && callSite(asked.stack)),
      ...(asked?.sql !== undefined && { sql: sqlShape(asked.sql) })
    }
  }
}
