import { EventEmitter } from 'node:events'
import t, { type Test } from 'tap'
import type { RedisClient } from '../../plugins/shared/redis-client.js'
import { RedisMasters, type KeyFilter } from '../../plugins/shared/redis-masters.js'
import { slotOf } from '../../plugins/shared/redis-slot.js'
import { eventually } from '../helpers/eventually.js'

const report = (id: string): string => `role:master\r\nmaster_replid:${id.repeat(40)}\r\nmaster_repl_offset:0\r\n`

/** Of one server, whose reports the test gives. */
function watch (t: Test, first: () => Promise<string>) {
  const seen = { changes: 0, same: 0, looks: 0 }
  const state = { answers: first }
  const client = Object.assign(new EventEmitter(), { status: 'ready', info: () => { seen.looks++; return state.answers() } })
  const masters = new RedisMasters({ client: client as unknown as RedisClient, onSame: () => { seen.same++ }, onChange: () => { seen.changes++ } })
  t.teardown(() => { masters.close() })
  return { client, masters, seen, state }
}

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

t.test('the first server is no other one, and the same one is the same after each connection', async (t) => {
  const { client, masters, seen } = watch(t, async () => report('a'))
  await turn()
  t.strictSame(seen, { changes: 0, same: 1, looks: 1 })
  for (let round = 0; round < 3; round++) {
    client.emit('close')
    client.emit('ready')
    await eventually(() => masters.doubtedAt('') === undefined)
  }
  t.equal(seen.changes, 0)
})

t.test('from the end of a connection on it is not certain which server answers, until that has said so', async (t) => {
  const { client, masters, seen, state } = watch(t, async () => report('a'))
  await turn()
  t.equal(masters.doubtedAt(''), undefined)
  client.status = 'reconnecting'
  client.emit('close')
  t.type(masters.doubtedAt(''), 'number')
  state.answers = async () => report('b')
  client.status = 'ready'
  client.emit('ready')
  t.type(masters.doubtedAt(''), 'number')
  await eventually(() => masters.doubtedAt('') === undefined)
  t.equal(seen.changes, 1)
})

t.test('who goes back to a server that was there before, and on, notices each change', async (t) => {
  const { client, seen, state } = watch(t, async () => report('a'))
  await turn()
  for (const id of ['b', 'a', 'b']) {
    state.answers = async () => report(id)
    client.emit('ready')
    await turn()
  }
  t.equal(seen.changes, 3)
})

t.test('a server that tells nobody, or not us, is taken for the same; one that is loading is asked again', async (t) => {
  const refusal = (message: string) => async (): Promise<never> => { throw Object.assign(new Error(message), { name: 'ReplyError' }) }
  for (const answers of [refusal('NOPERM this user has no permissions to run the info command'), async () => 'role:master\r\n']) {
    const { client, masters, seen } = watch(t, answers)
    await turn()
    client.emit('close')
    await eventually(() => masters.doubtedAt('') === undefined)
    t.equal(seen.changes, 0)
  }
  const { client, masters, seen, state } = watch(t, async () => report('a'))
  await turn()
  state.answers = refusal('LOADING Redis is loading the dataset in memory')
  client.emit('close')
  await turn()
  t.type(masters.doubtedAt(''), 'number')
  state.answers = async () => report('a')
  await eventually(() => masters.doubtedAt('') === undefined)
  t.equal(seen.changes, 0)
})

t.test('an answer that never comes does not end the looking', async (t) => {
  const { masters, seen, state } = watch(t, () => new Promise(() => {}))
  state.answers = async () => report('a')
  await eventually(() => seen.same > 0, 8_000)
  t.equal(masters.doubtedAt(''), undefined)
})

/** Of a Cluster of two masters with half of the slots each; `first` and `second` are keys of one and the other. */
function watchCluster (t: Test) {
  const slots = Array.from({ length: 16_384 }, (_, slot) => [slot < 8_000 ? 'one:1' : 'two:1', slot < 8_000 ? 'replica:1' : 'replica:2'])
  const ids: Record<string, string | undefined> = { 'one:1': 'a', 'two:1': 'b', 'three:1': 'c' }
  const client = Object.assign(new EventEmitter(), {
    status: 'ready',
    isCluster: true,
    slots,
    eval: async (_script: string, _keys: number, key: string) => {
      const id = ids[slots[slotOf(key)]![0]!]
      if (id === undefined) throw new Error('connection refused')
      return report(id)
    }
  })
  const [first, second] = ['b', 'a']
  t.strictSame([slotOf(first) < 8_000, slotOf(second) < 8_000], [true, false])
  const seen = { changes: [] as string[][], same: [] as string[][] }
  const of = (isMeant: KeyFilter = () => true): string[] => [first, second].filter(isMeant)
  const masters = new RedisMasters({
    client: client as unknown as RedisClient,
    onSame: (_at, isSame) => { seen.same.push(of(isSame)) },
    onChange: (isChanged) => { seen.changes.push(of(isChanged)) }
  })
  t.teardown(() => { masters.close() })
  const node = (address: string) => ({ options: { host: address.split(':')[0], port: Number(address.split(':')[1]) } })
  return { client, masters, slots, ids, first, second, seen, node }
}

t.test('that a key of a Cluster has another master is noticed when the key is asked for, though no connection began or ended', async (t) => {
  const { masters, slots, first, second, seen } = watchCluster(t)
  await turn()
  t.strictSame([masters.doubtedAt(first), masters.doubtedAt(second)], [undefined, undefined])
  slots[slotOf(second)] = ['three:1']
  t.equal(masters.doubtedAt(first), undefined)
  t.type(masters.doubtedAt(second), 'number')
  slots.fill(['three:1'], 8_000)
  await eventually(() => masters.doubtedAt(second) === undefined)
  t.strictSame(seen.changes, [[second]])
})

t.test('a node that has died, and is connected to again and again, says nothing of the others', async (t) => {
  const { client, masters, ids, first, second, seen, node } = watchCluster(t)
  await turn()
  t.strictSame(seen.same, [[first, second]])
  ids['two:1'] = undefined
  for (let n = 0; n < 20; n++) {
    client.emit(n % 2 === 0 ? '-node' : '+node', node('two:1'))
    await turn()
  }
  t.equal(masters.doubtedAt(first), undefined)
  t.type(masters.doubtedAt(second), 'number')
  t.strictSame(seen.same.at(-1), [first])
  ids['two:1'] = 'empty'.slice(0, 1)
  await eventually(() => masters.doubtedAt(second) === undefined)
  t.strictSame(seen.changes, [[second]], 'it came back with another history')
})

t.test('the connections to replicas are of no matter, those to nodes that are not known are', async (t) => {
  const { client, masters, first, second, node } = watchCluster(t)
  await turn()
  client.emit('-node', node('replica:1'))
  t.strictSame([masters.doubtedAt(first), masters.doubtedAt(second)], [undefined, undefined])
  client.emit('+node', node('unknown:1'))
  t.type(masters.doubtedAt(first), 'number')
  t.type(masters.doubtedAt(second), 'number')
  await eventually(() => masters.doubtedAt(first) === undefined && masters.doubtedAt(second) === undefined)
})

t.test('slots that move between masters that are known are doubted, and told, for themselves', async (t) => {
  const { masters, slots, first, second, seen } = watchCluster(t)
  await turn()
  slots[slotOf(second)] = ['one:1', 'replica:1']
  t.type(masters.doubtedAt(second), 'number')
  await eventually(() => masters.doubtedAt(second) === undefined)
  t.strictSame(seen.changes, [[second]])
  t.equal(masters.doubtedAt(first), undefined)
})

t.test('a master that the client does not know of for a moment is the same when it does again', async (t) => {
  const { client, masters, slots, first, second, seen } = watchCluster(t)
  await turn()
  const known = slots.slice()
  slots.fill([], 0, 8_000)
  const looked = seen.same.length
  client.emit('ready')
  await eventually(() => seen.same.length > looked)
  slots.splice(0, slots.length, ...known)
  client.emit('ready')
  await eventually(() => seen.same.length > looked + 1)
  t.strictSame([masters.doubtedAt(first), masters.doubtedAt(second)], [undefined, undefined])
  t.strictSame(seen.changes, [])
})
