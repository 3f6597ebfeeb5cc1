import type { DeadLetter } from './api.js'
import { OptionError } from './errors.js'
import { SHARDS } from './keys.js'
import { readableWrite } from './record.js'
import type { Letter, WriteLog } from './write-log.js'

interface Place {
  readonly entry: string
  readonly shard: number
}

/** What could not be saved, of all shards of a queue, in the order in which it was given up. */
export class DeadLetters {
  readonly #log: WriteLog

  constructor (log: WriteLog) {
    this.#log = log
  }

  /** @param after the last one of those that were given before */
  async list (after: string | undefined, count: number): Promise<DeadLetter[]> {
    const from = after === undefined ? undefined : placeOf(after)
    const lists = await Promise.all(Array.from({ length: SHARDS }, async (_, shard) => {
      // Of entries of the same moment, those of the lower shards come first.
      const begin = from === undefined ? '-' : shard <= from.shard ? `(${from.entry}` : from.entry
      const { letters, hasMore } = await this.#log.letters(shard, begin, count)
      return { hasMore, letters: letters.map((letter) => ({ ...letter, shard })) }
    }))
    // What comes after the last one that a shard gave, where it has more, is not known to be the next.
    const known = lists.flatMap(({ hasMore, letters }) => hasMore ? letters.slice(-1) : []).sort(byAge)[0]
    const all = lists.flatMap(({ letters }) => letters).sort(byAge)
    return all.slice(0, Math.min(count, known === undefined ? count : all.indexOf(known) + 1)).map(shown)
  }

  /** @throws OptionError on what is no letter */
  async replay (letter: string): Promise<'queued' | 'superseded' | 'gone'> {
    const { shard, entry } = placeOf(letter)
    return await this.#log.replay(shard, entry)
  }

  /** @throws OptionError on what is no letter */
  async discard (letter: string): Promise<boolean> {
    const { shard, entry } = placeOf(letter)
    return await this.#log.discard(shard, entry)
  }
}

function placeOf (letter: string): Place {
  const [, entry, shard] = /^(\d{1,19}-\d{1,19})-(\d{1,2})$/.exec(letter) ?? []
  if (entry === undefined || !(Number(shard) < SHARDS)) throw new OptionError('expected the letter of a dead letter')
  return { entry, shard: Number(shard) }
}

function byAge (a: Place, b: Place): number {
  const [[time, count], [otherTime, otherCount]] = [a, b].map(({ entry }) => entry.split('-').map(Number)) as [[number, number], [number, number]]
  return time - otherTime || count - otherCount || a.shard - b.shard
}

function shown ({ entry, shard, id, record, tries, reason, superseded }: Letter & Place): DeadLetter {
  return { letter: `${entry}-${shard}`, ...readableWrite(id, record), tries, reason, superseded }
}
