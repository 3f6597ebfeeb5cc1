/** What the routes under /api/users have in common. */

export const LARGEST_ID = 2 ** 31 - 1

/** Users of one batch. */
export const MOST_IDS = 100

export interface OfUser { Params: { id: number } }

export const PARAMS = {
  type: 'object',
  properties: { id: { type: 'integer', minimum: 1, maximum: LARGEST_ID } }
}

// Postgres holds no NUL in text.
export const TEXT = { type: 'string', maxLength: 10_000, pattern: '^[^\\u0000]*$' }

/** `?through=1`: saved before it is answered, for comparison. */
export interface Written { Querystring: { through?: '1' } }

export const WRITTEN = {
  type: 'object',
  additionalProperties: false,
  properties: { through: { type: 'string', const: '1' } }
}

export function notFound (id: number): never {
  throw httpError(404, `There is no user ${id}`)
}

export function httpError (statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode })
}
