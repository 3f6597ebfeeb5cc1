import { randomUUID } from 'node:crypto'

export type Message =
  /** This key was written or deleted. */
  | { readonly key: string }
  /** These tags were invalidated. */
  | { readonly tags: readonly string[] }

/** What processes tell each other. JSON, because a key may hold any character. */
export class Messages {
  readonly #origin = randomUUID()

  ofKey (key: string): string {
    return JSON.stringify([this.#origin, KEY, key])
  }

  ofTags (tags: readonly string[]): string {
    return JSON.stringify([this.#origin, TAGS, ...tags])
  }

  /** @returns what another process said; undefined for what is our own, or no message */
  read (text: string): Message | undefined {
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch {
      return undefined
    }
    if (!isTexts(message)) return undefined
    const [origin, kind, ...names] = message
    if (origin === this.#origin || names.length === 0) return undefined
    if (kind === KEY) return { key: names[0]! }
    return kind === TAGS ? { tags: names } : undefined
  }
}

const KEY = 'key'
const TAGS = 'tags'

function isTexts (value: unknown): value is string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string')
}
