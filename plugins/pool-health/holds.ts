import { isHeldLong } from '../shared/long-holds.js'
import type { RequestContext } from '../shared/request-context.js'
import { callSite, type CapturedStack } from './call-site.js'
import type { Holding } from './recent-load.js'
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
  /** As its holder has it, where the driver gives it out. */
  connection: object | undefined
  isReported: boolean
  /** It is on its way back: what its holder left is being undone. */
  isReturning: boolean
  /** Who asked for it has it. Not who did not wait so long, who went round the watch, nor the pool, which closes an old one so. */
  isCounted: boolean
  /** Its holder has given it back … */
  isGivenBack: boolean
  /** … or it was taken away. */
  isTaken: boolean
  /** Gives it back to the pool as it is, or, where true is given, closes it. Where the driver has such a thing. */
  release: ((error?: Error | boolean) => void) | undefined
  /** Those acquired just before and just after it, of the same pool. */
  older: Hold | undefined
  newer: Hold | undefined
}

/** Who holds a connection, and for how long. */
export interface HoldReport {
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

export interface LeakReport extends HoldReport {
  pool: string
}

/** Those who hold connections of the same call site. */
export interface Holder {
  /** The call site, else the statement, else the route; `unknown` for who went round the watch. */
  by: string
  connections: number
  /** Milliseconds that the oldest of them is held. */
  longest: number
}

/** Whether on purpose, for as long as somebody reads. */
export function isLong ({ connection }: Hold): boolean {
  return connection !== undefined && isHeldLong(connection)
}

/** What of a request may be told: the route's pattern, never the URL. */
export function requestOf (context: RequestContext | undefined): { method?: string, route?: string, requestId?: string } {
  const request = context?.request
  return request === undefined ? {} : { method: request.method, route: request.routeOptions.url ?? 'other', requestId: request.id }
}

/**
 * The connections of one pool that are in use. A list that is linked through them: a Map would be made anew every few hundred
 * queries, which costs more than all else that is done for a query.
 */
export class Holds {
  #oldest: Hold | undefined
  #newest: Hold | undefined
  #size = 0

  get size (): number {
    return this.#size
  }

  begin (now: number): Hold {
    const older = this.#newest
    const hold: Hold = {
      since: now,
      asked: undefined,
      connection: undefined,
      isReported: false,
      isReturning: false,
      isCounted: false,
      isGivenBack: false,
      isTaken: false,
      release: undefined,
      older,
      newer: undefined
    }
    if (older === undefined) this.#oldest = hold
    else older.newer = hold
    this.#newest = hold
    this.#size++
    return hold
  }

  end (hold: Hold): void {
    const { older, newer } = hold
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    this.#size--
    // An idle connection keeps its last hold: that must keep neither the others nor the request.
    hold.older = undefined
    hold.newer = undefined
  }

  /** Since when each is held, the oldest first. */
  * since (): Generator<number> {
    for (let hold = this.#oldest; hold !== undefined; hold = hold.newer) yield hold.since
  }

  /** Each, the oldest first. */
  * present (): Generator<Holding> {
    for (let hold = this.#oldest; hold !== undefined; hold = hold.newer) yield { since: hold.since, isLong: isLong(hold) }
  }

  /** Those that are held for as long as `threshold` or longer, and not on purpose. */
  * longerThan (threshold: number, now: number): Generator<Hold> {
    let next: Hold | undefined
    for (let hold = this.#oldest; hold !== undefined && now - hold.since >= threshold; hold = next) {
      // Who looks at it may end it.
      next = hold.newer
      if (!hold.isReturning && !isLong(hold)) yield hold
    }
  }

  /** Who holds most connections, the greatest first. Formats a stack for each. */
  holders (now: number): Holder[] {
    const holders = new Map<string, Holder>()
    for (let hold = this.#oldest; hold !== undefined; hold = hold.newer) {
      const { site, sql, route, held } = this.report(hold, now)
      const by = site ?? sql ?? route ?? 'unknown'
      const holder = holders.get(by) ?? { by, connections: 0, longest: held }
      holder.connections++
      holders.set(by, holder)
    }
    return [...holders.values()].sort((a, b) => b.connections - a.connections || b.longest - a.longest)
  }

  report ({ since, asked }: Hold, now: number): HoldReport {
    return {
      held: Math.round(now - since),
      ...requestOf(asked?.context),
      ...(asked?.stack && callSite(asked.stack)),
      ...(asked?.sql !== undefined && { sql: sqlShape(asked.sql) })
    }
  }
}
