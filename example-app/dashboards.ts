import type { Pool, QueryResultRow } from 'pg'
import { SCHEMA } from './seed.js'

/** Seconds that each query takes beside its own millisecond: what one of a large database, or of another service, takes. */
const SLOW = { user: 0.05, posts: 0.08, friends: 0.06 }

export interface Dashboard {
  user: { id: number, name: string } | null
  posts: Array<{ id: number, title: string }>
  friends: Array<{ id: number, name: string }>
}

/** What the page of a user shows: three queries, of which none needs another. */
export class Dashboards {
  readonly #pool: Pool

  constructor (pool: Pool) {
    this.#pool = pool
  }

  async user (id: number): Promise<Dashboard['user']> {
    const [user = null] = await this.#rows<NonNullable<Dashboard['user']>>(SLOW.user, `SELECT id, name FROM ${SCHEMA}.users WHERE id = $1`, id)
    return user
  }

  async posts (id: number): Promise<Dashboard['posts']> {
    return await this.#rows(SLOW.posts, `SELECT id, title FROM ${SCHEMA}.posts WHERE user_id = $1 ORDER BY id DESC LIMIT 10`, id)
  }

  async friends (id: number): Promise<Dashboard['friends']> {
    return await this.#rows(SLOW.friends, `
      SELECT friends.id, friends.name FROM ${SCHEMA}.friendships JOIN ${SCHEMA}.users AS friends ON friends.id = friend_id
      WHERE user_id = $1 ORDER BY friends.id LIMIT 10`, id)
  }

  async #rows<Row extends QueryResultRow> (seconds: number, sql: string, id: number): Promise<Row[]> {
    // Once, however many rows there are.
    const { rows } = await this.#pool.query<Row>(`WITH slow AS MATERIALIZED (SELECT pg_sleep($2)) SELECT found.* FROM slow LEFT JOIN (${sql}) AS found ON true WHERE found.id IS NOT NULL`, [id, seconds])
    return rows
  }
}
