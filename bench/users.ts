/** What the entries keep and serve: a user of about 2.5 KB of JSON, as the figures that guides quote are about. */
export const USER = {
  id: 7,
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  roles: ['reader', 'author', 'editor'],
  address: { street: '12 St James\'s Square', city: 'London', country: 'United Kingdom' },
  bio: 'Writes programs for machines that do not exist yet. '.repeat(24),
  posts: Array.from({ length: 10 }, (_, n) => ({ id: n, title: `Note ${n}`, likes: n * 7, body: 'lorem ipsum dolor sit amet '.repeat(2) }))
}

/** Milliseconds. */
export const HOUR = 3_600_000

// A power of two, so that turning around costs next to nothing.
const COUNT = 1_024

export const KEYS: readonly string[] = Array.from({ length: COUNT }, (_, n) => `user:${n}`)

/** One key after the other, so that no cache lives on the one it has just found. */
export function turningKeys (): () => string {
  let turn = 0
  return () => KEYS[turn++ & (COUNT - 1)]!
}
