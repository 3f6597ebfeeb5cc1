import type { RedisClient } from './redis-client.js'
import type { RedisCommands } from './redis-commands.js'
import { withResolvers, type Resolvers } from './with-resolvers.js'

/** Keys of one MGET: enough to share its cost, few enough not to hold up the others on Redis' one thread. */
const MOST = 256

/** An Error for a key alone where only that could not be read: in Cluster its node has failed. */
export type ReadValue = Buffer | null | Error

type Values = readonly ReadValue[]

interface Asked extends Resolvers<Values> {
  readonly keys: readonly string[]
}

/**
 * Reads keys. While Redis has nothing to answer, what is asked for goes to it at once, as one MGET, each key once. While it
 * has, it is gathered for the rest of the turn of the event loop: a command costs the client several times what one more
 * key in it does. In Cluster, where the keys of a command must share a slot, each goes alone.
 */
export class BatchedReads {
  readonly #commands: RedisCommands
  #asked: Asked[] = []
  /** Keys of those, some of them perhaps more than once. */
  #gathered = 0
  #unanswered = 0

  constructor (commands: RedisCommands) {
    this.#commands = commands
  }

  /** @returns the values in the order of `keys`; where these are too many for one command, none read later than those after it */
  get (keys: readonly string[]): Promise<Values> {
    return keys.length <= MOST ? this.#ask(keys) : this.#askInParts(keys)
  }

  /** One after the other: each has the time of a command for itself, and others come in between. */
  async #askInParts (keys: readonly string[]): Promise<Values> {
    const values: ReadValue[] = []
    for (let from = 0; from < keys.length; from += MOST) values.push(...await this.#ask(keys.slice(from, from + MOST)))
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
    if (this.#commands.isCluster) this.#sendEach(asked)
    else this.#sendAtOnce(asked)
  }

  #sendAtOnce (asked: readonly Asked[]): void {
    this.#unanswered++
    const [only, ...others] = asked
    const places = others.length === 0 ? undefined : placesOf(asked)
    const keys = places === undefined ? only!.keys : [...places.keys()]
    // The answer to GET is no array, and so costs the client less to read.
    const send = keys.length > 1 ? (client: RedisClient) => client.mgetBuffer(...keys) : async (client: RedisClient) => [await client.getBuffer(keys[0]!)]
    this.#commands.read(send).then(
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

  /** A node that fails takes nothing with it but its own keys. */
  #sendEach (asked: readonly Asked[]): void {
    this.#unanswered++
    const places = placesOf(asked)
    this.#commands.readEach([...places.keys()].map((key) => (client: RedisClient) => client.getBuffer(key))).then(
      (values) => {
        this.#unanswered--
        answer(asked, places, values)
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
