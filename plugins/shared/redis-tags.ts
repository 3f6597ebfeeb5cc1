import { randomBytes } from 'node:crypto'
import type { BatchedReads } from './batched-reads.js'
import { GENERATION_LENGTH } from './envelope.js'
import { announcing, type Notice } from './notice.js'
import { groupsOf, UNLESS_LATE, type ReadValue, type RedisCommands } from './redis-commands.js'

export interface RedisTagsOptions {
  commands: RedisCommands
  reads: BatchedReads
  /** The key in Redis for a tag's generation. */
  keyOf: (tag: string) => string
  /** The pub/sub channel on which an invalidation is told to the other processes. */
  channel: string
}

/** An Error where in Cluster its node has failed. */
export type ReadGeneration = string | undefined | Error

/** The tag of all values: to invalidate it is to clear. */
export const EVERYTHING = '\0everything'

/**
 * Invalidated before any other: while its generation stands, so do all of them. By this a loader may name its tags when
 * it has read already, and still get the generations from before.
 */
export const ANY_TAG = '\0any'

// Extended at half its time, so that a tag in use keeps its generation. Whatever else stands there gives way. A client that has
// lost the connection sends a script again: if the tag was invalidated between, the second run must not make what the first has.
const ESTABLISH = `${UNLESS_LATE}
  local letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  local generations = {}
  for i, key in ipairs(KEYS) do
    local generation = redis.pcall('GET', key)
    if type(generation) ~= 'string' or #generation ~= ${GENERATION_LENGTH} then
      local digest = redis.sha1hex(ARGV[i + 1] .. time[1] .. '.' .. time[2])
      generation = ''
      for at = 1, ${2 * GENERATION_LENGTH}, 2 do
        local letter = tonumber(string.sub(digest, at, at + 1), 16) % 64 + 1
        generation = generation .. string.sub(letters, letter, letter)
      end
      redis.call('SET', key, generation, 'PX', ARGV[1])
    elseif redis.call('PTTL', key) < ARGV[1] / 2 then
      redis.call('PEXPIRE', key, ARGV[1])
    end
    generations[i] = generation
  end
  return generations
`
const INVALIDATE = `${UNLESS_LATE}
  for _, key in ipairs(KEYS) do redis.call('DEL', key) end
  if ARGV[2] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
  return 1
`

/**
 * Generations of tags, that all processes share. They are random, and a missing one is made anew: a counter would start
 * again after a restart and match old values, and clocks run apart. To invalidate a tag is to remove its generation,
 * which a full Redis can do too, and which does no harm late or twice.
 */
export class RedisTags {
  readonly #options: RedisTagsOptions
  #everything: { readonly bytes: Buffer | null, readonly generation: string | undefined } = { bytes: null, generation: undefined }

  constructor (options: RedisTagsOptions) {
    this.#options = options
  }

  /** In one trip with whatever else is read in this turn of the event loop. */
  async read (tags: readonly string[]): Promise<ReadGeneration[]> {
    const values = await this.#options.reads.get(this.keysOf(tags))
    return this.generationsFrom(tags, values)
  }

  /** @param values of `keysOf(tags)`, and perhaps of more after them */
  generationsFrom (tags: readonly string[], values: readonly ReadValue[]): ReadGeneration[] {
    return tags.map((tag, index) => {
      const bytes = values[index] ?? null
      if (bytes instanceof Error) return bytes
      return tag === EVERYTHING ? this.#everythingFrom(bytes) : generationFrom(bytes)
    })
  }

  /** The tags by the servers that answer for them. */
  groupsOf (tags: readonly string[]): string[][] {
    return groupsOf(tags, this.#options.keyOf, this.#options.commands)
  }

  /** The keys in Redis, for whoever reads them together with others. */
  keysOf (tags: readonly string[]): string[] {
    return tags.map(this.#options.keyOf)
  }

  /** The generations, made anew where missing. @param lifetime milliseconds; half of it they live at least */
  async establish (tags: readonly string[], lifetime: number): Promise<string[]> {
    const { commands } = this.#options
    const writes = this.#inSlots(tags).map((some) => ({
      keys: this.keysOf(some), args: [Math.ceil(lifetime), ...some.map(() => randomBytes(8).toString('base64url'))]
    }))
    return allOf(await commands.writeEach<string[]>(ESTABLISH, writes)).flat()
  }

  /**
   * Voids whatever depends on one of the tags, and publishes a notice in the same step, or in Cluster in that of the last.
   *
   * @param noticeOf asked for it when it is about to be sent
   */
  async invalidate (tags: readonly string[], noticeOf: () => Notice): Promise<void> {
    const { commands, channel } = this.#options
    const remove = async (slots: ReadonlyArray<readonly string[]>, told: string): Promise<void> => {
      allOf(await commands.writeEach(INVALIDATE, slots.map((some) => ({ keys: this.keysOf(some), args: [channel, told] }))))
    }
    const [any, ...others] = this.#inSlots([ANY_TAG, ...tags])
    if (others.length > 0) {
      await remove([any!], '')
      // Who hears it asks for the generations anew, and must not be given one that is about to go.
      await remove(others.slice(0, -1), '')
    }
    const last = others.at(-1) ?? any!
    commands.check(this.#options.keyOf(last[0]!))
    await announcing(noticeOf(), (text) => remove([last], text))
  }

  /** The keys of a script share a slot; in Cluster, tags do not. */
  #inSlots (tags: readonly string[]): ReadonlyArray<readonly string[]> {
    return this.#options.commands.isCluster ? tags.map((tag) => [tag]) : [tags]
  }

  /** All who read in one batch have the same bytes: they are made a text once. */
  #everythingFrom (bytes: Buffer | null): string | undefined {
    if (this.#everything.bytes !== bytes) this.#everything = { bytes, generation: generationFrom(bytes) }
    return this.#everything.generation
  }
}

/** @throws the first of the failures */
function allOf<T> (results: ReadonlyArray<PromiseSettledResult<T>>): T[] {
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

/** What is not a generation of ours equals none. */
function generationFrom (generation: Buffer | null): string | undefined {
  return generation?.length === GENERATION_LENGTH ? generation.toString('latin1') : undefined
}
