import { withResolvers } from '../shared/with-resolvers.js'

/** Settles as `work` does, or rejects with the signal's reason when that aborts first. What `work` does later is ignored. */
export async function orAborted<T> (work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {})
  signal.throwIfAborted()
  const { promise, reject } = withResolvers<never>()
  const abort = (): void => { reject(signal.reason) }
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
