import { microsecondDates } from 'fastify-headroom/cache-headers'
import pg, { type Pool, type QueryResultRow } from 'pg'
import { SCHEMA } from './seed.js'

export interface Post {
  id: number
  user_id: number
  title: string
  body: string
  /** With the database's microseconds: two updates of one millisecond are two versions. */
  updated_at: Date
}

export type PostChanges = Partial<Pick<Post, 'title' | 'body'>>

const POSTS = `${SCHEMA}.posts`
const COLUMNS = 'id, user_id, title, body, updated_at'
const types = microsecondDates(pg.types)

/** The posts table. Knows nothing of HTTP. */
export class Posts {
  readonly #pool: Pool

  constructor (pool: Pool) {
    this.#pool = pool
  }

  async find (id: number): Promise<Post | undefined> {
    return await this.#row<Post>(`SELECT ${COLUMNS} FROM ${POSTS} WHERE id = $1`, [id])
  }

  /** Reads nothing else of the post. @returns null when there is none */
  async version (id: number): Promise<Date | null> {
    const post = await this.#row<Pick<Post, 'updated_at'>>(`SELECT updated_at FROM ${POSTS} WHERE id = $1`, [id])
    return post?.updated_at ?? null
  }

  /**
   * No two versions of a post have one date, also when the clock is set back.
   *
   * @param version the only one to change, where it matters
   * @returns the post as it now is, or undefined when there is none, or none of that version
   */
  async update (id: number, { title, body }: PostChanges, version: string | null = null): Promise<Post | undefined> {
    return await this.#row<Post>(`
      UPDATE ${POSTS} SET title = coalesce($2, title), body = coalesce($3, body),
        updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
      WHERE id = $1 AND ($4::timestamptz IS NULL OR updated_at = $4) RETURNING ${COLUMNS}`, [id, title, body, version])
  }

  async #row<Row extends QueryResultRow> (text: string, values: unknown[]): Promise<Row | undefined> {
    const { rows } = await this.#pool.query<Row>({ text, values, types })
    return rows[0]
  }
}
