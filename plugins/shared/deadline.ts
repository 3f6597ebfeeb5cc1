import { withResolvers } from './with-resolvers.js'

export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
  constructor (milliseconds: number) {
    super(`no answer within ${milliseconds} ms`)
  }
}

interface Pending {
  /** On the clock of `performance.now`, milliseconds. */
  readonly due: number
  /** Undefined once the work has ended: nothing of it is held on to. */
  expire: (() => void) | undefined
}

/**
 * The same deadline for work without end. One timer serves all of it: to set and clear one for each command of a busy client
 * costs as much as the command.
 */
export class Deadlines {
  readonly #milliseconds: number
  #pending: Pending[] = []
  #timer: NodeJS.Timeout | undefined
  #underWay = 0
  #closed = false

  constructor (milliseconds: number) {
    this.#milliseconds = milliseconds
  }

  /** Settles as `work` does, or rejects with a DeadlineError when the time is over. What `work` does later is ignored. */
  limit<T> (work: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = withResolvers<T>()
    const pending: Pending = {
      due: performance.now() + this.#milliseconds,
      expire: () => { reject(new DeadlineError(this.#milliseconds)) }
    }
    work.then(
      (value) => {
        this.#ended(pending)
        resolve(value)
      },
      (error: unknown) => {
        this.#ended(pending)
        reject(error)
      }
    )
    this.#pending.push(pending)
    this.#timer ??= this.#timerFor(pending)
    // While somebody waits for it, and no longer, the deadline keeps the process alive.
    if (this.#underWay++ === 0) this.#timer.ref()
    return promise
  }

  /** There will be no more work: no timer is left when that which is under way has ended. */
  close (): void {
    this.#closed = true
    if (this.#underWay === 0) this.#clear()
  }

  #ended (pending: Pending): void {
    if (pending.expire === undefined) return
    pending.expire = undefined
    if (--this.#underWay > 0) return
    if (this.#closed) this.#clear()
    else this.#timer?.unref()
  }

  #clear (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#pending = []
  }

  #timerFor ({ due }: Pending): NodeJS.Timeout {
    return setTimeout(() => {
      // After the event loop was blocked the answer may lie in the socket, unread: it is read before the next immediate.
      setImmediate(() => { this.#expire() })
    }, Math.max(1, due - performance.now()))
  }

  #expire (): void {
    const now = performance.now()
    // In the order of their deadlines, which is that of their coming.
    const next = this.#pending.findIndex(({ due, expire }) => expire !== undefined && due > now)
    const over = this.#pending.splice(0, next === -1 ? this.#pending.length : next)
    const first = this.#pending[0]
    this.#timer = first === undefined ? undefined : this.#timerFor(first)
    for (const pending of over) {
      const { expire } = pending
      this.#ended(pending)
      expire?.()
    }
    if (this.#underWay === 0) this.#timer?.unref()
  }
}
