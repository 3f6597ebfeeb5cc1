import { Breaker } from './breaker.js'
import { Deadlines } from './deadline.js'
import { isReady, type RedisClient } from './redis-client.js'
import { RedisClock } from './redis-clock.js'

export interface RedisCommandsOptions {
  client: RedisClient
  /** Milliseconds that a command may take. */
  timeout: number
  /** A monotonic clock, milliseconds. Default `performance.now`. */
  now?: () => number
}

/** Thrown without a command being sent: the client is not connected or about to end, or Redis has failed too often just now. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
}

/** A script came to Redis after its deadline, and did nothing. */
export class LateError extends Error {
  override readonly name = 'LateError'
}

const FAILURES_TO_OPEN = 3
const PROBE_INTERVAL = 500

/** Sends commands to a Redis that may be away: each ends within `timeout`, and none takes effect after it. */
export class RedisCommands {
  readonly #client: RedisClient
  readonly #timeout: number
  readonly #deadlines: Deadlines
  readonly #breaker: Breaker
  readonly #clock: RedisClock
  #closed = false

  constructor ({ client, timeout, now = () => performance.now() }: RedisCommandsOptions) {
    this.#client = client
    this.#timeout = timeout
    this.#deadlines = new Deadlines(timeout)
    this.#breaker = new Breaker({ failures: FAILURES_TO_OPEN, probeInterval: PROBE_INTERVAL, now })
    this.#clock = new RedisClock(client, now)
  }

  /** Whether Redis answers, as far as is known. */
  get available (): boolean {
    return isReady(this.#client) && !this.#breaker.open && !this.#closed
  }

  /**
   * From now on none is sent: the client is about to end its connection, and a command behind its QUIT makes Redis reset that
   * before the answer to it has been read.
   */
  close (): void {
    this.#closed = true
  }

  /** Whether the keys of one command must share a slot. */
  get isCluster (): boolean {
    return this.#client.isCluster === true
  }

  /** For commands that write nothing: one that runs late does no harm. */
  read<T> (send: (client: RedisClient) => Promise<T>): Promise<T> {
    return this.#attempt(() => send(this.#client))
  }

  /** As `read`, each for itself: where one is answered, it is not Redis that has failed, but a node of a Cluster. */
  async readEach<T> (sends: ReadonlyArray<(client: RedisClient) => Promise<T>>): Promise<Array<T | Error>> {
    this.#admit()
    const answers = await Promise.all(sends.map((send) => this.#deadlines.limit(send(this.#client)).catch(asError)))
    if (answers.some((answer) => !(answer instanceof Error) || answer.name === 'ReplyError')) this.#breaker.succeeded()
    else this.#breaker.failed()
    return answers
  }

  /**
   * Runs a script that writes, on the keys of one slot, with the deadline as its last argument, in Redis' time. In full,
   * not by its digest: sent again because Redis did not know that, it could arrive behind a command that came after it.
   *
   * @throws LateError when Redis refused it as late
   */
  async write<Result = unknown> (script: string, keys: readonly string[], args: ReadonlyArray<string | Buffer | number>): Promise<Result> {
    const result = await this.#attempt(async () => {
      const deadline = await this.#clock.in(this.#timeout)
      return await this.#client.eval(script, keys.length, ...keys, ...args, Math.floor(deadline))
    })
    // Clients can be told to give numbers as strings.
    if (Number(result) !== LATE) return result as Result
    this.#clock.forget()
    throw new LateError('Redis was asked to write after the deadline')
  }

  async #attempt<T> (work: () => Promise<T>): Promise<T> {
    this.#admit()
    try {
      const result = await this.#deadlines.limit(work())
      this.#breaker.succeeded()
      return result
    } catch (error) {
      // An error that Redis answered with is about this command and key; Redis itself is well.
      if ((error as { name?: unknown } | null)?.name === 'ReplyError') this.#breaker.succeeded()
      else this.#breaker.failed()
      throw error
    }
  }

  /** @throws UnavailableError */
  #admit (): void {
    if (this.#closed) throw new UnavailableError('the app is closing')
    if (!isReady(this.#client)) throw new UnavailableError(`the Redis client is not connected (${this.#client.status})`)
    if (!this.#breaker.admit()) throw new UnavailableError('Redis has failed too often just now')
  }
}

function asError (reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

const LATE = -1

/** The head of a script for `write`: returns when the deadline, its last argument, has passed. */
export const UNLESS_LATE = `
  local time = redis.call('TIME')
  if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[#ARGV]) then return ${LATE} end
`
