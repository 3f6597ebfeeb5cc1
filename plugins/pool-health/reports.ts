import type { FastifyBaseLogger } from 'fastify'
import { loggableError } from '../shared/loggable-error.js'
import { Seldom } from '../shared/seldom.js'
import * as channels from './channels.js'
import { requestOf } from './holds.js'
import type { WatchReports } from './pool-watch.js'

/** Milliseconds between two lines that say that requests are refused. */
const REFUSALS_SAID_EVERY = 10_000

/** What a pool's watch tells, as lines and on the channels. Of a statement only its shape is told, of a request neither URL nor body. */
export function reportsOf (pool: string, log: FastifyBaseLogger, now: () => number): WatchReports {
  const seldom = new Seldom(REFUSALS_SAID_EVERY, now)
  return safely(pool, {
    broken (error) {
      log.error({ pool, error: loggableError(error) }, 'an idle connection of the pool broke')
      channels.broken.publish(() => ({ pool, error }))
    },
    leaked (report) {
      log.warn({ pool, leak: report }, 'a connection of the pool is held for too long')
      channels.leak.publish(() => ({ pool, ...report }))
    },
    returned (report, how) {
      log.warn({ pool, leak: report }, how === 'returned' ? 'a connection that was held for too long came back' : 'a connection that was held for too long was taken away and closed')
      channels.leakReturned.publish(() => ({ pool, ...report, how }))
    },
    dirty (dirt, isDestroyed, report) {
      const { held, ...by } = report
      log.warn({ pool, dirtyReturn: { ...by, dirt } }, `a connection was given back with ${dirt.startsWith('open') ? 'an' : 'a'} ${dirt}, and was ${isDestroyed ? 'closed' : 'rolled back'}`)
      channels.dirtyReturn.publish(() => ({ pool, ...by, dirt, destroyed: isDestroyed }))
    },
    away () {
      log.warn({ pool }, 'the database of the pool does not answer')
      channels.away.publish(() => ({ pool }))
    },
    back (elapsed) {
      log.info({ pool, elapsed: Math.round(elapsed) }, 'the database of the pool answers again')
      channels.back.publish(() => ({ pool, elapsed }))
    },
    refused ({ waited, predicted }, context) {
      const request = requestOf(context)
      seldom.say('refused', () => {
        log.warn({ pool, ...request, waited: Math.round(waited), predicted: Math.round(predicted) }, 'the pool is exhausted: requests are refused that would wait for longer than their deadline')
      })
      channels.refused.publish(() => ({ pool, ...request, waited, predicted }))
    }
  })
}

/** Whoever reports is giving a connection back, or looks after all pools: a log that throws must not stop that. */
function safely (pool: string, reports: WatchReports): WatchReports {
  const safe = <Args extends unknown[]>(report: (...args: Args) => void) => (...args: Args): void => {
    try {
      report(...args)
    } catch (error) {
      process.emitWarning(`pool-health: what happened to pool ${pool} could not be reported: ${String(error)}`)
    }
  }
  const { broken, leaked, returned, dirty, away, back, refused } = reports
  return { broken: safe(broken), leaked: safe(leaked), returned: safe(returned), dirty: safe(dirty), away: safe(away), back: safe(back), refused: safe(refused) }
}
