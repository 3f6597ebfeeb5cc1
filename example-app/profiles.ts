import type { Write } from 'fastify-headroom/write-behind'
import type { Pool } from 'pg'
import { SCHEMA } from './seed.js'

export interface Profile {
  headline: string
  location: string
}

const USERS = `${SCHEMA}.users`

/** The profiles in the users table, each with the version of its last write. */
export class Profiles {
  readonly #pool: Pool

  constructor (pool: Pool) {
    this.#pool = pool
  }

  async find (id: number): Promise<Profile | undefined> {
    const { rows } = await this.#pool.query<Profile>(`SELECT headline, location FROM ${USERS} WHERE id = $1`, [id])
    return rows[0]
  }

  /** Leaves what is newer. */
  async save (id: number, { headline, location }: Profile, version: number): Promise<void> {
    await this.#pool.query(`
      UPDATE ${USERS} SET headline = $2, location = $3, profile_version = $4 WHERE id = $1 AND profile_version < $4`, [id, headline, location, version])
  }

  /** The same of several, in one statement. */
  async saveMany (writes: ReadonlyArray<Write<Profile, number>>): Promise<void> {
    await this.#pool.query(`
      UPDATE ${USERS} AS users SET headline = new.headline, location = new.location, profile_version = new.version
      FROM unnest($1::integer[], $2::text[], $3::text[], $4::bigint[]) AS new (id, headline, location, version)
      WHERE users.id = new.id AND users.profile_version < new.version`,
    [writes.map(({ id }) => id), writes.map(({ value }) => value.headline), writes.map(({ value }) => value.location), writes.map(({ version }) => version)])
  }

  /** Where nothing ever waits. */
  async saveNow (id: number, { headline, location }: Profile): Promise<void> {
    await this.#pool.query(`
      UPDATE ${USERS} SET headline = $2, location = $3, profile_version = profile_version + 1 WHERE id = $1`, [id, headline, location])
  }
}
