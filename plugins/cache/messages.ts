import { randomUUID } from 'node:crypto'
import type { Notice } from '../shared/notice.js'
import type { Word } from './hearing.js'
import type { Ending } from './turns.js'

/** What a message says. */
export type News =
  /** This key was written or deleted. */
  | { readonly kind: 'key', readonly key: string }
  /** These tags were invalidated. */
  | { readonly kind: 'tags', readonly tags: readonly string[] }
  /** Nothing but that the sender is there; when it was said, milliseconds of the sender's own clock. */
  | { readonly kind: 'beat', readonly said: number }
  /** The sender ends. */
  | { readonly kind: 'leave' }
  /** A load of the sender has ended, for which others wait. */
  | { readonly kind: 'ended', readonly key: string, readonly ending: Ending }

export interface Message extends Word {
  /** Whether it is our own that we hear. */
  readonly isOwn: boolean
  readonly news: News
}

/** Milliseconds, and more beats than one, for which is said which messages were not sent. */
const REPEATED = 2_000

/** Of more that were not sent nothing is said: who hears of the next one takes them for missed, which is safe. */
const MOST_UNSENT = 100

/**
 * What processes tell each other: JSON, because a key may hold any character. A list of who says it; the message's number, or
 * 0 for what may be missed; the number up to which all have been sent; which of these may never have been sent after all;
 * what kind of news it is; and the names in it.
 */
export class Messages {
  readonly #origin = randomUUID()
  readonly #now: () => number
  #number = 0
  /** Numbers of messages of which it is not known yet whether they have been sent, in their order. */
  readonly #open = new Set<number>()
  /** With when that was found out. */
  readonly #unsent = new Map<number, number>()

  /** @param now a monotonic clock, milliseconds */
  constructor (now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** What must not be missed; it is told again, under another number, where it may not have been sent. */
  ofKey (key: string): Notice {
    return this.#numbered(['key', key])
  }

  ofTags (tags: readonly string[]): Notice {
    return this.#numbered(['tags', ...tags])
  }

  ofBeat (): string {
    return this.#text(['beat', String(this.#now())])
  }

  ofLeave (): string {
    return this.#text(['leave'])
  }

  ofEnding (key: string, ending: Ending): string {
    return this.#text(['ended', key, ending])
  }

  /** @returns undefined for what is no message, or one of a version that is not known */
  read (text: string): Message | undefined {
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch {
      return undefined
    }
    if (!Array.isArray(message)) return undefined
    const [origin, number, announced, unsent, kind, ...names] = message as unknown[]
    if (typeof origin !== 'string' || !isNumber(number) || !isNumber(announced) || !Array.isArray(unsent) || !unsent.every(isNumber) || !names.every(isText)) return undefined
    const news = newsFrom(kind, names)
    return news === undefined ? undefined : { origin, number: number === 0 ? undefined : number, announced, unsent, isOwn: origin === this.#origin, news }
  }

  #numbered (said: readonly string[]): Notice {
    const number = ++this.#number
    this.#open.add(number)
    return {
      text: this.#text(said, number),
      sent: () => { this.#open.delete(number) },
      failed: () => {
        this.#open.delete(number)
        this.#unsent.set(number, this.#now())
        if (this.#unsent.size > MOST_UNSENT) this.#unsent.clear()
      }
    }
  }

  #text (said: readonly string[], number = 0): string {
    const now = this.#now()
    for (const [number, since] of this.#unsent) if (now - since > REPEATED) this.#unsent.delete(number)
    const [firstOpen = this.#number + 1] = this.#open
    return JSON.stringify([this.#origin, number, firstOpen - 1, [...this.#unsent.keys()], ...said])
  }
}

function newsFrom (kind: unknown, names: readonly string[]): News | undefined {
  const [name, ending] = names
  switch (kind) {
    case 'beat': return { kind, said: Number(name) }
    case 'leave': return { kind }
    case 'key': return name === undefined ? undefined : { kind, key: name }
    case 'tags': return name === undefined ? undefined : { kind, tags: names }
    case 'ended': return name !== undefined && isEnding(ending) ? { kind, key: name, ending } : undefined
    default: return undefined
  }
}

function isNumber (value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isText (value: unknown): value is string {
  return typeof value === 'string'
}

function isEnding (value: unknown): value is Ending {
  return value === 'kept' || value === 'failed' || value === 'unkept' || value === 'dropped'
}
