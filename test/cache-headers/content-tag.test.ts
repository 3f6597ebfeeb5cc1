import etag from '@fastify/etag'
import { createHash } from 'node:crypto'
import t from 'tap'
import { contentTag } from '../../plugins/cache-headers/content-tag.js'

t.test('the tag of bytes is their SHA-256, the same for a text and its bytes', async (t) => {
  const tagOf = await contentTag(etag, {})
  t.equal(tagOf('häuser'), `"${createHash('sha256').update('häuser').digest('base64url')}"`)
  t.equal(tagOf(Buffer.from('häuser')), tagOf('häuser'))
  t.not(tagOf('a'), tagOf('b'))
  t.equal(tagOf(''), `"${createHash('sha256').digest('base64url')}"`)
})

t.test('@fastify/etag makes it as it is told', async (t) => {
  t.match((await contentTag(etag, { weak: true }))('a'), /^W\/"[\w-]{43}"$/)
  t.equal((await contentTag(etag, { algorithm: 'md5' }))('a'), `"${createHash('md5').update('a').digest('base64')}"`)
  t.equal((await contentTag(etag, { hashFn: (payload) => `own-${payload.length}` }))('abc'), '"own-3"')
})

t.test('what @fastify/etag refuses is refused', async (t) => {
  await t.rejects(contentTag(etag, { algorithm: 'none' }), { message: 'Algorithm none not supported.' })
})
