import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Bearer tokens: a user's id and its signature, `7.4aKd…`. They never expire, and only a new secret revokes them: an app with
 * real users has its tokens from an identity provider.
 */
export class Tokens {
  readonly #secret: string

  constructor (secret: string) {
    this.#secret = secret
  }

  sign (user: number): string {
    return `${user}.${createHmac('sha256', this.#secret).update(`user ${user}`).digest('base64url')}`
  }

  /** @returns whose it is; undefined for one that was not signed here */
  userOf (token: string): number | undefined {
    const user = Number(/^([1-9]\d{0,9})\./.exec(token)?.[1])
    const given = Buffer.from(token)
    const expected = Buffer.from(this.sign(user))
    return given.length === expected.length && timingSafeEqual(given, expected) ? user : undefined
  }
}
