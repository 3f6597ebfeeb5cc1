import t from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import { readFile } from 'node:fs/promises'
import { readConfig } from '../../example-app/config.js'
import { Tokens } from '../../example-app/tokens.js'
import { buildExample, seededPostgres, TOKEN_SECRET, USERS } from '../helpers/example-app.js'

t.test('me', async (t) => {
  const databaseUrl = await seededPostgres(t)
  const app = await buildExample(t, { databaseUrl })
  const tokens = new Tokens(TOKEN_SECRET)
  const me = (authorization?: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> =>
    app.inject({ url: '/api/me', headers: { ...authorization !== undefined && { authorization }, ...headers } })

  t.test('with a token it is that user, for the client alone, which asks each time', async (t) => {
    const own = await me(`Bearer ${tokens.sign(7)}`)
    t.match(own.json(), { id: 7, email: 'user7@example.com' })
    t.equal(own.headers['cache-control'], 'private, no-cache')
    t.equal((await me(`bearer ${tokens.sign(7)}`)).statusCode, 200)
  })

  t.test('asked again it is 304 to its user, and never to another with the same tag', async (t) => {
    const { headers: { etag } } = await me(`Bearer ${tokens.sign(7)}`)
    t.equal((await me(`Bearer ${tokens.sign(7)}`, { 'if-none-match': String(etag) })).statusCode, 304)
    const other = await me(`Bearer ${tokens.sign(8)}`, { 'if-none-match': String(etag) })
    t.match([other.statusCode, other.json().id], [200, 8])
  })

  t.test('without a token that was signed here it is 401, which nobody keeps', async (t) => {
    const good = tokens.sign(7)
    const forged = new Tokens('a secret that somebody else made up').sign(7)
    for (const authorization of [
      undefined, '', 'Bearer', 'Bearer ', good, `Basic ${good}`, `Bearer ${forged}`, `Bearer ${good}x`, `Bearer ${good} x`,
      `Bearer ${good.slice(0, -1)}`, `Bearer ${good.replace('7', '8')}`, `Bearer 0${good}`, 'Bearer 7', 'Bearer 7.', `Bearer NaN.${good.slice(2)}`, `Bearer ${'é'.repeat(45)}`
    ]) {
      for (const conditions of [{}, { 'if-none-match': '*' }]) {
        const refused = await me(authorization, conditions)
        t.equal(refused.statusCode, 401, authorization ?? 'none')
        t.match(refused.headers, { 'www-authenticate': /^Bearer /, 'cache-control': 'no-store' })
        t.notMatch(refused.body, 'example.com')
      }
    }
  })

  t.test('a user who is no longer there has a token and no page', async (t) => {
    t.equal((await me(`Bearer ${tokens.sign(USERS + 1)}`)).statusCode, 404)
  })

  t.test('the token in the README is good where no secret is set, and nowhere else', async (t) => {
    const readme = await readFile('example-app/README.md', 'utf8')
    const [, authorization] = /'authorization: (.*?)'/.exec(readme)!
    const demo = await buildExample(t, { databaseUrl, tokenSecret: readConfig({}).TOKEN_SECRET })
    const response = await demo.inject({ url: '/api/me', headers: { authorization } })
    t.match([response.statusCode, response.json().id], [200, 7])
    t.equal((await me(authorization)).statusCode, 401)
  })
})
