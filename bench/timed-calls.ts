import type { Operation, Postponing } from './entry.js'

/** What so many calls took. */
export interface Ran {
  /** Milliseconds. */
  elapsed: number
  /** Microseconds. */
  cpu: number
}

/** @param callers each of whom calls again as soon as its call has ended */
export async function timedCalls (operation: Operation | Postponing, iterations: number, callers = 1): Promise<Ran> {
  const { call, settle, settled } = typeof operation === 'function' ? { call: operation, settle: async () => {}, settled: 'counted' } : operation
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  await calls(call, iterations, callers)
  if (settled === 'counted') await settle()
  const elapsed = performance.now() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  // Else it would be done in the time of the next variant.
  if (settled === 'afterwards') await settle()
  return { elapsed, cpu: user + system }
}

async function calls (call: Operation, iterations: number, callers: number): Promise<void> {
  let left = iterations
  const caller = async (): Promise<void> => { while (left-- > 0) await call() }
  await Promise.all(Array.from({ length: callers }, caller))
}
