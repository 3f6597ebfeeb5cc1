import { expectTypeOf } from 'expect-type'
import type { FastifyRequest } from 'fastify'
import type { ParallelPluginOptions } from 'fastify-headroom/parallel'

declare const request: FastifyRequest

void ({ deadline: '2s', concurrency: 3, decorateAs: 'together' } satisfies ParallelPluginOptions)
// @ts-expect-error of a call alone
void ({ settle: true } satisfies ParallelPluginOptions)

const branches = {
  user: async (signal: AbortSignal) => ({ name: 'Ada', aborted: signal.aborted }),
  count: () => 1
}
expectTypeOf(request.parallel(branches)).resolves.toEqualTypeOf<{ user: { name: string, aborted: boolean }, count: number }>()
expectTypeOf(request.parallel(branches, { settle: true })).resolves.toEqualTypeOf<{
  user: PromiseSettledResult<{ name: string, aborted: boolean }>
  count: PromiseSettledResult<number>
}>()
void request.parallel({ user: async (signal) => await fetch('http://localhost', { signal }) }, { deadline: '250ms', signal: AbortSignal.timeout(1) })
// @ts-expect-error it runs already
void request.parallel({ user: Promise.resolve(1) })
// @ts-expect-error a misspelt option
void request.parallel(branches, { deadlin: 1 })
