/** Milliseconds that a message may come after those sent later: in Cluster they take different ways. */
export const PATIENCE = 25

/** Milliseconds without a word after which another process is taken for dead, and its last words for unheard. */
const SILENCE = 10_000

/** Milliseconds within which those who are there already are met. */
const MEETING = 2_000

/** Of another process. */
export interface Word {
  readonly origin: string
  /** Of what must not be missed. */
  readonly number: number | undefined
  /** All its messages up to this number have been sent. */
  readonly announced: number
  /** Numbers of messages that may never have been sent after all, and need not be waited for. */
  readonly unsent: readonly number[]
}

interface Speaker {
  /** Every message up to this one has been heard. */
  upTo: number
  /** The latest that is known to have been sent. */
  announced: number
  /** Heard, or never sent, beyond the first that is missing. */
  readonly beyond: Set<number>
  /** When it was noticed that one is missing. */
  missingSince: number | undefined
  lastHeard: number
}

/**
 * Knows by their numbers whether all that the other processes said has been heard. Pub/sub loses messages without a sign;
 * each process numbers its own, and says with every beat how many there are.
 */
export class Hearing {
  readonly #speakers = new Map<string, Speaker>()
  #since = -Infinity

  /** From now on; nothing that was said before matters. */
  begin (now: number): void {
    this.#speakers.clear()
    this.#since = now
  }

  /** @returns whether messages have been missed for sure */
  hear (word: Word, now: number): boolean {
    const { origin, number, announced, unsent } = word
    const met = this.#speakers.get(origin)
    const speaker = met ?? { upTo: announced, announced, beyond: new Set<number>(), missingSince: undefined, lastHeard: now }
    if (met === undefined) this.#speakers.set(origin, speaker)
    speaker.lastHeard = now
    speaker.announced = Math.max(speaker.announced, announced)
    if (number !== undefined) speaker.beyond.add(number)
    for (const one of unsent) speaker.beyond.add(one)
    const before = speaker.upTo
    advance(speaker)
    if (speaker.upTo >= speaker.announced) speaker.missingSince = undefined
    // Another one is missing now: it has its own time.
    else if (speaker.missingSince === undefined || speaker.upTo > before) speaker.missingSince = now
    // Who comes later is met by its first word.
    return met === undefined && now - this.#since > MEETING && announced > unsent.filter((one) => one <= announced).length
  }

  /** One that ends, and has said so. @returns whether messages of it have been missed */
  leave (word: Word, now: number): boolean {
    const missed = this.hear(word, now) || this.#speakers.get(word.origin)!.missingSince !== undefined
    this.#speakers.delete(word.origin)
    return missed
  }

  /** To be asked again and again. @returns whether messages have been missed */
  misses (now: number): boolean {
    let missed = false
    for (const [origin, speaker] of this.#speakers) {
      if (now - speaker.lastHeard > SILENCE) {
        this.#speakers.delete(origin)
        missed = true
      } else if (speaker.missingSince !== undefined && now - speaker.missingSince >= PATIENCE) {
        // What is heard of them later changes nothing any more.
        speaker.upTo = speaker.announced
        speaker.missingSince = undefined
        advance(speaker)
        missed = true
      }
    }
    return missed
  }

  /** Whether some message is late: to be asked about again in `PATIENCE` milliseconds. */
  get waits (): boolean {
    for (const { missingSince } of this.#speakers.values()) if (missingSince !== undefined) return true
    return false
  }
}

function advance (speaker: Speaker): void {
  for (const one of speaker.beyond) if (one <= speaker.upTo) speaker.beyond.delete(one)
  while (speaker.beyond.delete(speaker.upTo + 1)) speaker.upTo++
}
