import type { Breaker } from './breaker.js'
import { Deadlines } from './deadline.js'
import { isReady, type PipelinedCommands, type RedisClient, type RedisPipeline } from './redis-client.js'
import type { TimeBounds } from './redis-clock.js'
import { RedisServers, type Group, type Server } from './redis-servers.js'

export interface RedisCommandsOptions {
  client: RedisClient
  /** Milliseconds that a command may take. */
  timeout: number
  /** A monotonic clock, milliseconds. Default `performance.now`. */
  now?: () => number
  /** Redis, or a node of a Cluster, had failed too often and answers again. */
  onRecovery?: () => void
  /** No command is sent any more, of a Cluster to none of its nodes; once until `onBack`. */
  onAway?: (error: UnavailableError) => void
  /** Redis has answered one again. */
  onBack?: () => void
}

/** Thrown without a command being sent: the client is not connected or about to end, or Redis has failed too often just now. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
}

/** A script came to Redis after its deadline, and did nothing. */
export class LateError extends Error {
  override readonly name = 'LateError'
}

/** An Error for a key alone where only that could not be read: in Cluster its node has failed. */
export type ReadValue = Buffer | null | Error

/** Of a script: the keys are of one slot. */
export interface Write {
  readonly keys: readonly string[]
  readonly args: ReadonlyArray<string | Buffer | number>
}

/** Gives one command to a client, or to a pipeline of its. */
type Command = (to: PipelinedCommands) => unknown

/** The command for the key in this place. */
type Prepared = (place: number) => Command

/** Sends commands to a Redis that may be away: each ends within `timeout`, and none takes effect after it. */
export class RedisCommands {
  readonly #client: RedisClient
  readonly #timeout: number
  readonly #deadlines: Deadlines
  readonly #servers: RedisServers
  readonly #onAway: (error: UnavailableError) => void
  readonly #onBack: () => void
  #away = false
  #closed = false
  #lastNotConnected: { readonly status: string, readonly error: UnavailableError } | undefined

  constructor ({ client, timeout, now = () => performance.now(), onRecovery = () => {}, onAway = () => {}, onBack = () => {} }: RedisCommandsOptions) {
    this.#client = client
    this.#timeout = timeout
    this.#onAway = onAway
    this.#onBack = onBack
    this.#deadlines = new Deadlines(timeout)
    this.#servers = new RedisServers({ client, now, onRecovery, probe: (server) => this.#probe(server) })
  }

  /** Whether Redis answers, as far as is known; of a Cluster, any of its nodes. */
  get available (): boolean {
    return isReady(this.#client) && !this.#closed && this.#servers.available
  }

  /**
   * From now on none is sent: the client is about to end its connection, and a command behind its QUIT makes Redis reset that
   * before the answer to it has been read.
   */
  close (): void {
    this.#closed = true
    this.#servers.stop()
    this.#deadlines.close()
  }

  /** Whether the keys of one command must share a slot. */
  get isCluster (): boolean {
    return this.#client.isCluster === true
  }

  /** Keys that the same servers answer for. */
  groupsOf (keys: readonly string[]): Group[] {
    return this.#servers.groupsOf(keys)
  }

  /** Another server answers for some of the data, and has a clock of its own. */
  serverChanged (): void {
    this.#servers.forgetClocks()
  }

  /** The time of the server that answers for the key, as far as it is known. */
  timeOf (key: string): TimeBounds | undefined {
    return this.#servers.of(key).clock.bounds()
  }

  /** @throws UnavailableError where no command for the key would be sent */
  check (key: string): void {
    this.#check(this.#servers.of(key))
  }

  /**
   * Whether the server of the key has not answered when it was last asked, or cannot be asked: who waits for something through
   * it need not go on.
   */
  isFailing (key: string): boolean {
    return this.#closed || !isReady(this.#client) || this.#servers.of(key).breaker.failing
  }

  /**
   * @returns the values in the order of the keys: none for what is of another type than values are, or an empty one, where it was
   *   read alone. Rejects where Redis does not answer; of a Cluster never, whose nodes have their Errors there
   */
  get (keys: readonly string[]): Promise<readonly ReadValue[]> {
    const [first] = keys
    if (this.isCluster) return this.#getByNode(keys)
    // The answer to GET is no array, and so costs the client less to read.
    return this.#attempt(this.#servers.of(first!), first!, keys.length > 1 ? () => this.#client.mgetBuffer(...keys) : async () => [await this.#client.getBuffer(first!).catch(emptyIfForeign)])
  }

  /**
   * Runs a script that writes, on the keys of one slot, with the deadline as its last argument, in the server's time. In full,
   * not by its digest: sent again because Redis did not know that, it could arrive behind a command that came after it.
   *
   * @throws LateError when Redis refused it as late
   */
  async write<Result = unknown> (script: string, { keys, args }: Write): Promise<Result> {
    const server = this.#servers.of(keys[0]!)
    const result = await this.#attempt(server, keys[0]!, async () => {
      const deadline = await this.#deadline(server, keys[0]!)
      return await evalOf(script, { keys, args }, deadline)(this.#client)
    })
    return inTime(result, server) as Result
  }

  /** As `write`, with the texts in the answer as bytes. */
  async writeBuffers (script: string, { keys, args }: Write): Promise<unknown> {
    const server = this.#servers.of(keys[0]!)
    return inTime(await this.#attempt(server, keys[0]!, async () => {
      const deadline = await this.#deadline(server, keys[0]!)
      return await this.#client.callBuffer!('eval', script, keys.length, ...keys, ...args, deadline)
    }), server)
  }

  /** As `write`, each for itself; in Cluster, those of one node in one piece. */
  async writeEach<Result = unknown> (script: string, writes: readonly Write[]): Promise<Array<PromiseSettledResult<Result>>> {
    if (!this.isCluster) return await Promise.allSettled(writes.map((write) => this.write<Result>(script, write)))
    const firsts = writes.map(({ keys }) => keys[0]!)
    const answers = await this.#byNode(firsts, async (server, key) => {
      const deadline = await this.#deadline(server, key)
      return (place) => evalOf(script, writes[place]!, deadline)
    })
    return await settled(answers, (answer, place) => inTime(answer, this.#servers.of(firsts[place]!)) as Result)
  }

  /**
   * As `writeEach`, but without a deadline: for a script that does no harm late. Sent at once, so that a client that is told to end
   * in the same turn has it before that.
   */
  async runEach (script: string, writes: readonly Write[]): Promise<Array<PromiseSettledResult<unknown>>> {
    if (!this.isCluster) {
      return await Promise.allSettled(writes.map((write) => {
        const [key] = write.keys
        return this.#attempt(this.#servers.of(key!), key!, async () => await evalOf(script, write)(this.#client))
      }))
    }
    const answers = await this.#byNode(writes.map(({ keys }) => keys[0]!), () => (place) => evalOf(script, writes[place]!))
    return await settled(answers)
  }

  async #getByNode (keys: readonly string[]): Promise<readonly ReadValue[]> {
    const answers = await this.#byNode(keys, () => (place) => (to) => to.getBuffer(keys[place]!)) as ReadValue[]
    answers.forEach((answer, place) => { if (isForeign(answer)) answers[place] = EMPTY })
    return answers
  }

  /**
   * A command for each key, those of one node in one piece: to send one costs several times what one more in it does.
   *
   * @param prepare before those of one of the servers, which are sent at once where it makes no promise
   * @returns the answers in the order of the keys: Errors where a server has failed, or has refused the command
   */
  async #byNode (keys: readonly string[], prepare: (server: Server, key: string) => Prepared | Promise<Prepared>): Promise<unknown[]> {
    const answers: unknown[] = new Array(keys.length)
    await Promise.all(this.#servers.groupsOf(keys).map(async ({ server, places }) => {
      const first = keys[places[0]!]!
      const send = async (): Promise<unknown[]> => {
        const prepared = prepare(server, first)
        return await this.#inOnePiece(places.map(prepared instanceof Promise ? await prepared : prepared))
      }
      const some = await this.#attempt(server, first, send).catch((error: unknown) => places.map(() => asError(error)))
      places.forEach((place, index) => { answers[place] = some[index] })
    }))
    return answers
  }

  async #inOnePiece (commands: readonly Command[]): Promise<unknown[]> {
    const alone = async (command: Command): Promise<unknown> => await command(this.#client)
    if (commands.length === 1) return [await alone(commands[0]!)]
    const pipeline = this.#client.pipeline!()
    for (const command of commands) command(pipeline)
    let replies: Awaited<ReturnType<RedisPipeline['exec']>>
    try {
      replies = await pipeline.exec() ?? []
    } catch (error) {
      if (!isOfSeveralNodes(error)) throw error
      return await Promise.all(commands.map(async (command) => await alone(command).catch(asError)))
    }
    const [failure] = replies[0] ?? []
    if (failure instanceof Error && replies.every(([error]) => error !== null && !isReply(error))) throw failure
    // ioredis follows the redirections of a pipeline only where all of it goes the same way; alone, each finds its own.
    return await Promise.all(replies.map(async ([error, answer], index) =>
      error === null ? answer : isRedirection(error) ? await alone(commands[index]!).catch(asError) : error))
  }

  async #deadline (server: Server, key: string): Promise<number> {
    return Math.floor(await server.clock.in(this.#timeout, key))
  }

  async #attempt<T> (server: Server, key: string, work: () => Promise<T>): Promise<T> {
    const { breaker } = server
    server.key = key
    this.#check(server)
    try {
      const result = await this.#deadlines.limit(work())
      this.#answered(breaker)
      return result
    } catch (error) {
      // An error that Redis answered with is about this command and key; Redis itself is well.
      if (isReply(error)) this.#answered(breaker)
      else breaker.failed()
      throw error
    }
  }

  #answered (breaker: Breaker): void {
    breaker.succeeded()
    if (!this.#away) return
    this.#away = false
    this.#onBack()
  }

  async #probe ({ breaker, clock, key }: Server): Promise<void> {
    this.#checkReady()
    await this.#deadlines.limit(clock.learn(key)).catch((error: unknown) => { if (!isReply(error)) throw error })
    this.#answered(breaker)
  }

  #check ({ breaker }: Server): void {
    this.#checkReady()
    if (breaker.open) throw this.#noting(FAILED_TOO_OFTEN)
  }

  #checkReady (): void {
    if (this.#closed) throw CLOSING
    if (!isReady(this.#client)) throw this.#noting(this.#notConnected())
  }

  #noting (error: UnavailableError): UnavailableError {
    if (!this.#away && !this.available) {
      this.#away = true
      this.#onAway(error)
    }
    return error
  }

  #notConnected (): UnavailableError {
    const { status } = this.#client
    if (this.#lastNotConnected?.status !== status) {
      this.#lastNotConnected = { status, error: new UnavailableError(`the Redis client is not connected (${status})`) }
    }
    return this.#lastNotConnected.error
  }
}

/** @param resultOf an answer that is no Error; can throw */
async function settled<Result> (answers: readonly unknown[], resultOf = (answer: unknown, _place: number) => answer as Result): Promise<Array<PromiseSettledResult<Result>>> {
  return await Promise.allSettled(answers.map(async (answer, place) => {
    if (answer instanceof Error) throw answer
    return resultOf(answer, place)
  }))
}

/** The names by the servers that answer for them. */
export function groupsOf (names: readonly string[], keyOf: (name: string) => string, commands: RedisCommands): string[][] {
  return commands.groupsOf(names.map(keyOf)).map(({ places }) => places.map((place) => names[place]!))
}

function evalOf (script: string, { keys, args }: Write, ...more: number[]): Command {
  return (to) => to.eval(script, keys.length, ...keys, ...args, ...more)
}

/** @throws LateError */
function inTime (result: unknown, { clock }: Server): unknown {
  // Clients can be told to give numbers as strings. Not of what is an array: to make a number of that, all of it becomes a string.
  if (typeof result === 'object' || Number(result) !== LATE) return result
  clock.forget()
  throw new LateError('Redis was asked to write after the deadline')
}

/** Whether Redis answered with this error, and so is well. */
export function isReply (error: unknown): boolean {
  return (error as { name?: unknown } | null)?.name === 'ReplyError'
}

/** To GET: the key is of another type. */
function isForeign (answer: unknown): boolean {
  return answer instanceof Error && isReply(answer) && answer.message.startsWith('WRONGTYPE ')
}

function emptyIfForeign (error: unknown): Buffer {
  if (isForeign(error)) return EMPTY
  throw error
}

const EMPTY = Buffer.alloc(0)

/** The slot is moving, or has moved, to another node, and the command was not run. */
function isRedirection ({ message }: Error): boolean {
  return /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /.test(message)
}

/** While slots move, what ioredis knows of them is not always of one piece. Nothing has been sent. */
function isOfSeveralNodes (error: unknown): boolean {
  return error instanceof Error && error.message.includes('same slots allocation group')
}

export function asError (reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

// In an outage every call meets one of these: to make it, with its stack, would cost more than all else that the call does.
const FAILED_TOO_OFTEN = new UnavailableError('Redis has failed too often just now')
const CLOSING = new UnavailableError('the app is closing')

const LATE = -1

/** The head of a script for `write`: returns when the deadline, its last argument, has passed. */
export const UNLESS_LATE = `
  local time = redis.call('TIME')
  if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[#ARGV]) then return ${LATE} end
`
