import type { Pool } from 'pg'
import { SCHEMA } from './seed.js'

export interface User {
  id: number
  name: string
  email: string
  bio: string
  /** ISO 8601 in UTC, with the database's microseconds, which a Date would cut. */
  updated_at: string
}

export type UserChanges = Partial<Pick<User, 'name' | 'email' | 'bio'>>

const USERS = `${SCHEMA}.users`
const COLUMNS = 'id, name, email, bio, to_json(updated_at AT TIME ZONE \'UTC\') #>> \'{}\' || \'Z\' AS updated_at'

/** The users table. Knows nothing of caches: the routes decide what to keep. */
export class Users {
  readonly #pool: Pool

  constructor (pool: Pool) {
    this.#pool = pool
  }

  async find (id: number): Promise<User | undefined> {
    const { rows } = await this.#pool.query<User>(`SELECT ${COLUMNS} FROM ${USERS} WHERE id = $1`, [id])
    return rows[0]
  }

  /** One query for all of them; by id, those that do not exist left out. */
  async findMany (ids: readonly number[]): Promise<Map<number, User>> {
    const { rows } = await this.#pool.query<User>(`SELECT ${COLUMNS} FROM ${USERS} WHERE id = ANY($1)`, [ids])
    return new Map(rows.map((user) => [user.id, user]))
  }

  /** All of them, in the order of their ids. */
  get all (): string {
    return `SELECT ${COLUMNS} FROM ${USERS} ORDER BY id`
  }

  /** Those whose ids are in between, both included. */
  between (from = 1, to = 2 ** 31 - 1): { text: string, values: number[] } {
    return { text: `SELECT ${COLUMNS} FROM ${USERS} WHERE id BETWEEN $1 AND $2 ORDER BY id`, values: [from, to] }
  }

  /** @returns the user as it now is, or undefined when there is none */
  async update (id: number, { name, email, bio }: UserChanges): Promise<User | undefined> {
    const { rows } = await this.#pool.query<User>(`
      UPDATE ${USERS} SET name = coalesce($2, name), email = coalesce($3, email), bio = coalesce($4, bio), updated_at = clock_timestamp()
      WHERE id = $1 RETURNING ${COLUMNS}`, [id, name, email, bio])
    return rows[0]
  }
}
