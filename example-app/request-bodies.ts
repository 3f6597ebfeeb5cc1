import { TEXT } from './user-requests.js'

/** What clients may write: the routes check it, and GET /api/config tells it to forms. */

const FILLED = { ...TEXT, minLength: 1 }

export const USER_CHANGES = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: { name: FILLED, email: { ...FILLED, maxLength: 320 }, bio: FILLED }
}

export const PROFILE = {
  type: 'object',
  additionalProperties: false,
  required: ['headline', 'location'],
  properties: { headline: { ...TEXT, maxLength: 200 }, location: { ...TEXT, maxLength: 200 } }
}

export const POST_CHANGES = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: { title: { ...FILLED, maxLength: 200 }, body: FILLED }
}
