export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
  constructor (milliseconds: number) {
    super(`no answer within ${milliseconds} ms`)
  }
}

/** Settles as `work` does, or rejects with a DeadlineError after `milliseconds`. What `work` does later is ignored. */
export async function withDeadline<T> (work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      // After the event loop was blocked the answer may lie in the socket, unread: it is read before the next immediate.
      setImmediate(() => reject(new DeadlineError(milliseconds)))
    }, milliseconds)
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}
