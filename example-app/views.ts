import type { Write } from 'fastify-headroom/write-behind'
import type { Pool } from 'pg'
import { SCHEMA } from './seed.js'

/** No instance has this number: what the database itself counts stands under it. */
const OF_DATABASE = 0

/** Of a user and an instance. */
export type CountId = `${number}:${number}`

const VIEWS = `${SCHEMA}.views`

/** The views table: of each user a row for each instance, and their sum is how often the user was viewed. */
export class Views {
  readonly #pool: Pool

  constructor (pool: Pool) {
    this.#pool = pool
  }

  /** @returns by instance */
  async find (user: number): Promise<Map<number, number>> {
    const { rows } = await this.#pool.query<{ instance: number, views: string }>(`SELECT instance, views FROM ${VIEWS} WHERE user_id = $1`, [user])
    return new Map(rows.map(({ instance, views }) => [instance, Number(views)]))
  }

  async hasUser (user: number): Promise<boolean> {
    const { rows } = await this.#pool.query(`SELECT FROM ${SCHEMA}.users WHERE id = $1`, [user])
    return rows.length > 0
  }

  /** Leaves what is newer; in one statement. */
  async saveMany (writes: ReadonlyArray<Write<number, CountId>>): Promise<void> {
    const ids = writes.map(({ id }) => id.split(':').map(Number))
    await this.#pool.query(`
      INSERT INTO ${VIEWS} (user_id, instance, views, version)
      SELECT * FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::bigint[])
      ON CONFLICT (user_id, instance) DO UPDATE SET views = excluded.views, version = excluded.version WHERE views.version < excluded.version`,
    [ids.map(([user]) => user), ids.map(([, instance]) => instance), writes.map(({ value }) => value), writes.map(({ version }) => version)])
  }

  /** One more, at once. */
  async addNow (user: number): Promise<void> {
    await this.#pool.query(`
      INSERT INTO ${VIEWS} (user_id, instance, views, version) VALUES ($1, ${OF_DATABASE}, 1, 0)
      ON CONFLICT (user_id, instance) DO UPDATE SET views = views.views + 1`, [user])
  }
}
