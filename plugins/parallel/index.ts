import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { clientSignal } from '../shared/client-signal.js'
import { boolean, complaint, custom, describe, duration, LONGEST_TIMER, number, orFalse, resolveOptions, string } from '../shared/options.js'
import { inSpan } from '../shared/spans.js'
import type { Duration } from '../shared/units.js'
import { BranchesRun, type Branch, type Branches } from './branches.js'
import * as channels from './channels.js'
import { DeadlineError, OptionError } from './errors.js'

export type { Branch, Branches, DeadlineError }

/** What each branch has come to, by its name. */
export type Results<Own extends Branches> = { -readonly [Name in keyof Own]: Awaited<ReturnType<Own[Name]>> }
export type SettledResults<Own extends Branches> = { -readonly [Name in keyof Own]: PromiseSettledResult<Awaited<ReturnType<Own[Name]>>> }

export interface ParallelPluginOptions {
  /** How long the branches of one call may take in all. Default `false`: as long as they take. */
  deadline?: Duration | false
  /** How many branches of one call run at once; the others wait for their turn, in order. Default: all. */
  concurrency?: number
  /** The name of the request's method. Default `'parallel'`. */
  decorateAs?: string
}

export interface ParallelOptions extends Omit<ParallelPluginOptions, 'decorateAs'> {
  /** Whether a branch that fails leaves the others alone, and its error is its result, as of `Promise.allSettled`. Default `false`. */
  settle?: boolean
  /** Of the caller: all branches end when it aborts, as they do when the client leaves. */
  signal?: AbortSignal
}

export interface Parallel {
  <Own extends Branches>(branches: Own, options: ParallelOptions & { settle: true }): Promise<SettledResults<Own>>
  <Own extends Branches>(branches: Own, options?: ParallelOptions & { settle?: false }): Promise<Results<Own>>
}

/** The payload of the channel `headroom:parallel:late`. */
export interface LateBranches {
  method: string
  /** The route's pattern, never the URL. */
  route: string
  /** Milliseconds. */
  deadline: number
  /** The names of those that were not there. */
  late: readonly string[]
}

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Runs independent work side by side. Each branch is given a signal, which aborts when another one has failed, the client has
     * left, or the deadline is over.
     *
     * @throws the first error of a branch; DeadlineError (504); ClientLeftError; the reason of `options.signal`
     */
    parallel: Parallel
  }
}

const SETTINGS = {
  deadline: orFalse(duration(undefined, { min: 1, max: LONGEST_TIMER })),
  concurrency: number(undefined, { min: 1, max: Number.MAX_SAFE_INTEGER })
}
const OPTIONS = { ...SETTINGS, decorateAs: string('parallel') }
const CALL_OPTIONS = {
  ...SETTINGS,
  settle: boolean(false),
  signal: custom('an AbortSignal', (value): value is AbortSignal => value instanceof AbortSignal)
}

const REPLY = Symbol('headroom.parallel.reply')

const parallel: FastifyPluginAsync<ParallelPluginOptions> = async (app, raw) => {
  const { decorateAs, ...byDefault } = resolveOptions(OPTIONS, raw, 'options', OptionError)

  // Whether the client has left, only its reply can tell.
  if (!app.hasRequestDecorator(REPLY)) {
    app.decorateRequest(REPLY, null)
    app.addHook('onRequest', (request, reply, done) => {
      replyOf(request)[REPLY] = reply
      done()
    })
  }

  app.decorateRequest(decorateAs as 'parallel', async function (this: FastifyRequest, branches: Branches, options = {}) {
    const { settle, signal, deadline = byDefault.deadline ?? false, concurrency = byDefault.concurrency ?? Infinity } = resolveOptions(CALL_OPTIONS, options, `request.${decorateAs}`, OptionError)
    checkBranches(branches, `request.${decorateAs}`)
    const reply = replyOf(this)[REPLY]
    const results = await new BranchesRun(branches, {
      deadline: deadline === false ? undefined : deadline,
      concurrency,
      settle,
      signals: [...(reply === null ? [] : [clientSignal(this, reply)]), ...(signal === undefined ? [] : [signal])],
      run: inSpan,
      lateError: (late) => {
        const milliseconds = deadline as number
        channels.late.publish(() => ({ method: this.method, route: this.routeOptions.url ?? 'other', deadline: milliseconds, late }))
        return new DeadlineError(milliseconds, late)
      }
    }).results()
    // Each by its own name, also where that is `__proto__`.
    return Object.fromEntries([...results].map(([name, result]) => [name, settle || result.status === 'rejected' ? result : result.value]))
  } as Parallel)
}

function replyOf (request: FastifyRequest): { [REPLY]: FastifyReply | null } {
  return request as FastifyRequest & { [REPLY]: FastifyReply | null }
}

/** A promise among them runs already: nothing could tell it to stop. */
function checkBranches (branches: unknown, place: string): void {
  if (typeof branches !== 'object' || branches === null || Array.isArray(branches)) throw new OptionError(complaint(place, 'an object of functions', describe(branches)))
  for (const [name, branch] of Object.entries(branches)) {
    if (typeof branch !== 'function') throw new OptionError(complaint(`${place}.${name}`, 'a function', describe(branch)))
  }
}

export default fp(parallel, { name: 'headroom-parallel', fastify: '5.x' })
