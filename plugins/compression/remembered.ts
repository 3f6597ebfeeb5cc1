import { LRUCache } from 'lru-cache'

/** Of the fields of requests and replies there are a few; of those that an attacker sends, no end, and no bound to their length. */
const MOST = 200
const LONGEST = 200

/** Computes what depends on a text alone, and remembers it of the texts seen last. */
export function remembered<T extends {}> (compute: (text: string) => T): (text: string) => T {
  const known = new LRUCache<string, T>({ max: MOST })
  return (text) => {
    const present = known.get(text)
    if (present !== undefined) return present
    const computed = compute(text)
    if (text.length <= LONGEST) known.set(text, computed)
    return computed
  }
}
