import t, { type Test } from 'tap'
import type { WriteBehind, WriteBehindOptions } from '../../plugins/write-behind/index.js'
import { connect, freshPrefix } from '../cache/build-app.js'
import { eventually } from '../helpers/eventually.js'
import { useRedis } from '../helpers/redis.js'
import { buildApp, fencedSource } from './build-app.js'

const redis = await useRedis(t)

async function build (t: Test, { isPoison, ...options }: { isPoison: (value: unknown) => boolean } & Partial<WriteBehindOptions>) {
  const { app, log } = await buildApp(t, { redis: await connect(t, redis.url), prefix: freshPrefix(redis.prefix) })
  const source = fencedSource()
  const queue: WriteBehind = app.writeBehind('things', {
    ...source.options,
    save: (id, value, context) => {
      if (isPoison(value)) throw Object.assign(new Error('violates check constraint'), { code: '23514' })
      return source.options.save(id, value, context)
    },
    delay: 0,
    attempts: 2,
    retry: { first: 1, longest: 1 },
    ...options
  })
  const emptied = async (): Promise<void> => { await eventually(async () => (await queue.stats()).depth === 0) }
  return { ...source, queue, emptied, log }
}

t.test('what could not be saved is reported, listed with its value, and brought back under its version', async (t) => {
  let isMended = false
  const told: unknown[] = []
  const { queue, rows, emptied, log } = await build(t, { isPoison: (value) => value === 'secret poison' && !isMended, onDead: (letter) => { told.push(letter) } })
  const { version } = await queue.set('id', 'secret poison')
  await queue.set('other', 'fine')
  await emptied()
  t.equal(rows.get('other')!.value, 'fine')
  const [letter, ...more] = await queue.deadLetters()
  t.equal(more.length, 0)
  const { letter: name, superseded, ...rest } = letter!
  t.strictSame(rest, { id: 'id', value: 'secret poison', version, tries: 2, reason: '23514: violates check constraint' })
  t.equal(superseded, false)
  t.strictSame(told, [rest])
  t.match(await queue.stats(), { deadLetters: 1, dead: 1, retries: 1 })
  const line = log().find((line) => line.includes('dead letters'))!
  t.match(JSON.parse(line), { queue: 'things', version, tries: 2 })
  t.notMatch(line, /secret poison/)

  isMended = true
  t.equal(await queue.replay(name), 'queued')
  await emptied()
  t.strictSame(rows.get('id'), { value: 'secret poison', version })
  t.equal(await queue.replay(name), 'gone')
  t.equal((await queue.stats()).deadLetters, 0)
})

t.test('an older write is not brought back over a newer one', async (t) => {
  const { queue, rows, emptied } = await build(t, { isPoison: (value) => String(value).startsWith('poison') })
  for (const value of ['poison 1', 'poison 2', 'good', 'poison 3']) {
    await queue.set('id', value)
    await emptied()
  }
  const letters = await queue.deadLetters()
  t.strictSame(letters.map(({ value, superseded }) => [value, superseded]), [['poison 1', true], ['poison 2', true], ['poison 3', false]])
  t.equal(await queue.replay(letters[1]!.letter), 'superseded')
  t.equal(await queue.replay(letters[2]!.letter), 'queued')
  await emptied()
  t.equal(rows.get('id')!.value, 'good')
})

t.test('a write that dies again is a letter again', async (t) => {
  const { queue, emptied } = await build(t, { isPoison: () => true })
  await queue.set('id', 1)
  await emptied()
  const [letter] = await queue.deadLetters()
  await queue.replay(letter!.letter)
  await emptied()
  const letters = await queue.deadLetters()
  t.equal(letters.length, 1)
  t.equal(letters[0]!.version, letter!.version)
  t.equal(await queue.discard(letters[0]!.letter), true)
  t.equal(await queue.discard(letters[0]!.letter), false)
  t.equal((await queue.stats()).deadLetters, 0)
})

t.test('they are listed in the order of their deaths, in parts', async (t) => {
  const { queue, emptied } = await build(t, { isPoison: () => true, attempts: 1 })
  for (let id = 0; id < 60; id++) await queue.set(id, id)
  await emptied()
  const all = await queue.deadLetters()
  t.equal(all.length, 60)
  const parts: unknown[] = []
  for (let after: string | undefined, part = await queue.deadLetters({ count: 7 }); part.length > 0; part = await queue.deadLetters({ count: 7, after })) {
    parts.push(...part)
    after = part.at(-1)!.letter
  }
  t.strictSame(parts, all)
  await t.rejects(queue.replay('1-1-99'), { code: 'FST_HEADROOM_WRITE_BEHIND_OPTION' })
  await t.rejects(queue.discard('*'), { code: 'FST_HEADROOM_WRITE_BEHIND_OPTION' })
  await t.rejects(queue.deadLetters({ after: 'nonsense' }), { code: 'FST_HEADROOM_WRITE_BEHIND_OPTION' })
})

t.test('an onDead that throws ends nothing', async (t) => {
  const { queue, rows, emptied, log } = await build(t, { isPoison: (value) => value === 'poison', onDead: () => { throw new Error('in onDead') } })
  await queue.set('id', 'poison')
  await emptied()
  await queue.set('id', 'good')
  await emptied()
  t.equal(rows.get('id')!.value, 'good')
  t.match(log().join(), /onDead or isOutage threw/)
})

t.test('an isOutage that throws is no outage, and ends nothing', async (t) => {
  const { queue, rows, emptied, log } = await build(t, { isPoison: (value) => value === 'poison', isOutage: () => { throw new Error('in isOutage') } })
  await queue.set('id', 'poison')
  await emptied()
  t.match(await queue.deadLetters(), [{ id: 'id', tries: 2 }])
  await queue.set('id', 'good')
  await emptied()
  t.equal(rows.get('id')!.value, 'good')
  t.match(log().join(), /onDead or isOutage threw/)
})

t.test('what stands in Redis and cannot be read goes to the letters, as it is, and holds up nothing', async (t) => {
  const client = await connect(t, redis.url)
  const prefix = freshPrefix(redis.prefix)
  const { app } = await buildApp(t, { redis: client, prefix })
  const { rows, options } = fencedSource()
  const queue = app.writeBehind('things', { save: () => { throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' }) } })
  await queue.set('a', 1)
  const [key] = await client.keys(`${prefix}:write-behind:{things:*}:records`)
  await client.hset(key!, 'a', 'damaged')
  await queue.set('b', 2)
  await app.close()
  const { app: next } = await buildApp(t, { redis: client, prefix })
  const again = next.writeBehind('things', options)
  await eventually(async () => (await again.stats()).depth === 0)
  t.strictSame([...rows.keys()], ['b'])
  t.match(await again.deadLetters(), [{ id: 'a', value: undefined, reason: /not a write of this release/ }])
})
