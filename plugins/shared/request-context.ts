import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { SpanCollector } from './spans.js'

/** For whom something is done. */
export interface RequestContext {
  readonly request?: FastifyRequest
  readonly collect?: SpanCollector
}

// One for all of the package: on Node 20 each of them costs every promise of the process.
const storage = new AsyncLocalStorage<RequestContext | undefined>()

/** That of the request whose hooks or handler, or what they have begun, runs now. */
export function currentContext (): RequestContext | undefined {
  return storage.getStore()
}

/** Runs `work`, and everything it begins, for the request of `context`; for none where that is undefined: a connection that is made for many keeps none. */
export function inContext<T> (context: RequestContext | undefined, work: () => T): T {
  // On Node 20 the first `run` of a process makes each of its promises dearer from then on.
  return storage.getStore() === context ? work() : storage.run(context, work)
}

/** `callback`, which whoever calls it, mostly for another request, calls for the one of `context`. An `await` finds its own way home. */
export function boundTo<Args extends unknown[], Result> (context: RequestContext | undefined, callback: (...args: Args) => Result): (...args: Args) => Result {
  return context === undefined ? callback : (...args) => storage.run(context, callback, ...args)
}

/** Lets `currentContext` tell the request, in all hooks of the scope's requests that come after, and in their handlers. */
export function followRequests (app: FastifyInstance): void {
  const follow = (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    // Another plugin's hook has done so.
    if (storage.getStore()?.request === request) done()
    else storage.run({ request }, done)
  }
  app.addHook('onRequest', follow)
  // A body comes from its socket, whose events know nothing of the request.
  app.addHook('preValidation', follow)
}
