import { asError, type ReadValue, type RedisCommands } from './redis-commands.js'
import type { Server } from './redis-servers.js'
import { withResolvers, type Resolvers } from './with-resolvers.js'

/** Keys of one command: enough to share its cost, few enough not to hold up the others on Redis' one thread. */
const MOST = 256

type Values = readonly ReadValue[]

interface Asked extends Resolvers<Values> {
  readonly keys: readonly string[]
}

/** Reads keys; those of each node of a Cluster for themselves, so that one that hangs holds up nobody who asks for others. */
export class BatchedReads {
  readonly #commands: RedisCommands
  /** Of a Redis that stands alone. */
  readonly #only: Batch | undefined
  readonly #batches = new WeakMap<Server, Batch>()

  constructor (commands: RedisCommands) {
    this.#commands = commands
    if (!commands.isCluster) this.#only = new Batch(commands)
  }

  /**
   * @returns the values in the order of `keys`; where these are too many for one command, none read later than those after it.
   *   Rejects where they could not be read; in Cluster those that could not be are Errors
   */
  get (keys: readonly string[]): Promise<Values> {
    return this.#only === undefined ? this.#byServer(keys) : this.#only.get(keys)
  }

  async #byServer (keys: readonly string[]): Promise<Values> {
    const values: ReadValue[] = new Array(keys.length)
    await Promise.all(this.#commands.groupsOf(keys).map(async ({ server, places }) => {
      const some = await this.#batchOf(server).get(places.map((place) => keys[place]!)).catch((error: unknown) => places.map(() => asError(error)))
      places.forEach((place, index) => { values[place] = some[index]! })
    }))
    return values
  }

  #batchOf (server: Server): Batch {
    const known = this.#batches.get(server)
    if (known !== undefined) return known
    const batch = new Batch(this.#commands)
    this.#batches.set(server, batch)
    return batch
  }
}

/**
 * While Redis has nothing to answer, what is asked for goes to it at once, in one command, each key once. While it has, it is
 * gathered for the rest of the turn of the event loop: a command costs the client several times what one more key in it does.
 */
class Batch {
  readonly #commands: RedisCommands
  #asked: Asked[] = []
  /** Keys of those, some of them perhaps more than once. */
  #gathered = 0
  #unanswered = 0

  constructor (commands: RedisCommands) {
    this.#commands = commands
  }

  get (keys: readonly string[]): Promise<Values> {
    return keys.length <= MOST ? this.#ask(keys) : this.#askInParts(keys)
  }

  /** One after the other: each has the time of a command for itself, and others come in between. */
  async #askInParts (keys: readonly string[]): Promise<Values> {
    const values: ReadValue[] = []
    for (let from = 0; from < keys.length; from += MOST) {
      const part = await this.#ask(keys.slice(from, from + MOST))
      const [failure] = part
      // A node that does not answer is not asked for the rest.
      if (failure instanceof Error && part.every((value) => value instanceof Error)) return [...values, ...keys.slice(from).map(() => failure)]
      values.push(...part)
    }
    return values
  }

  #ask (keys: readonly string[]): Promise<Values> {
    if (this.#gathered + keys.length > MOST) this.#send()
    if (this.#asked.length === 0) {
      if (this.#unanswered === 0) process.nextTick(() => { this.#send() })
      else setImmediate(() => { this.#send() })
    }
    this.#gathered += keys.length
    const { promise, resolve, reject } = withResolvers<Values>()
    this.#asked.push({ promise, resolve, reject, keys })
    return promise
  }

  #send (): void {
    const asked = this.#asked
    if (asked.length === 0) return
    this.#gathered = 0
    this.#asked = []
    this.#unanswered++
    const [only, ...others] = asked
    const places = others.length === 0 ? undefined : placesOf(asked)
    this.#commands.get(places === undefined ? only!.keys : [...places.keys()]).then(
      (values) => {
        this.#unanswered--
        if (places === undefined) only!.resolve(values)
        else answer(asked, places, values)
      },
      (error: unknown) => {
        this.#unanswered--
        for (const { reject } of asked) reject(error)
      }
    )
  }
}

/** Each key once, and where it stands. */
function placesOf (asked: readonly Asked[]): Map<string, number> {
  const places = new Map<string, number>()
  for (const { keys } of asked) for (const key of keys) if (!places.has(key)) places.set(key, places.size)
  return places
}

function answer (asked: readonly Asked[], places: ReadonlyMap<string, number>, values: Values): void {
  for (const { keys, resolve } of asked) resolve(keys.map((key) => values[places.get(key)!] ?? null))
}
