import { TEXT } from './user-requests.js'

/** What clients may write: the routes check it, and GET /api/config has it for forms, with a label for each field. */

const FILLED = { ...TEXT, minLength: 1 }

export const USER_CHANGES = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    name: { ...FILLED, title: 'Name' },
    email: { ...FILLED, title: 'Email', maxLength: 320 },
    bio: { ...FILLED, title: 'About you' }
  }
}

export const PROFILE = {
  type: 'object',
  additionalProperties: false,
  required: ['headline', 'location'],
  properties: {
    headline: { ...TEXT, title: 'Headline', maxLength: 200 },
    location: { ...TEXT, title: 'Location', maxLength: 200 }
  }
}

export const POST_CHANGES = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    title: { ...FILLED, title: 'Title', maxLength: 200 },
    body: { ...FILLED, title: 'Text' }
  }
}
