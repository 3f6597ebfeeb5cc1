/** Milliseconds that a message may come after those sent later: in Cluster they take different ways. */
export const PATIENCE = 25

/** Milliseconds without a word after which another process is taken for dead, and its last words for unheard. */
const SILENCE = 10_000

/** Milliseconds within which those who are there already are met. */
const MEETING = 2_000

/** Of another process: `number` of its messages have been sent, this one included if it is one. */
export interface Word {
  readonly origin: string
  readonly number: number
  /** Nothing but a sign of life. */
  readonly isBeat: boolean
  /** Numbers of messages that may never have been sent, and need not be waited for. */
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
  hear ({ origin, number, isBeat, unsent }: Word, now: number): boolean {
    const speaker = this.#speakers.get(origin)
    if (speaker === undefined) {
      this.#speakers.set(origin, { upTo: number, announced: number, beyond: new Set(), missingSince: undefined, lastHeard: now })
      // Who comes later is met by its first word.
      return number !== (isBeat ? 0 : 1) && now - this.#since > MEETING
    }
    speaker.lastHeard = now
    speaker.announced = Math.max(speaker.announced, number)
    if (!isBeat) speaker.beyond.add(number)
    for (const one of unsent) speaker.beyond.add(one)
    for (const one of speaker.beyond) if (one <= speaker.upTo) speaker.beyond.delete(one)
    const before = speaker.upTo
    while (speaker.beyond.delete(speaker.upTo + 1)) speaker.upTo++
    if (speaker.upTo >= speaker.announced) speaker.missingSince = undefined
    // Another one is missing now: it has its own time.
    else if (speaker.missingSince === undefined || speaker.upTo > before) speaker.missingSince = now
    return false
  }

  /** One that ends, and has said so. */
  leave (origin: string): void {
    this.#speakers.delete(origin)
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
        speaker.beyond.clear()
        speaker.missingSince = undefined
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
